#include "recorder.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/sys.h"

namespace relais::seam {
namespace {

constexpr std::uint64_t sector = 512;
Recorder* recorder = nullptr;

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void resize_for(std::string& content, std::uint64_t end) {
    if (content.size() < end) content.resize(static_cast<std::size_t>(end), '\0');
}

}  // namespace

// ---------------------------------------------------------------- recording

Recorder::Recorder() {
    recorder = this;
}
Recorder::~Recorder() {
    recorder = nullptr;
}
Recorder* Recorder::current() {
    return recorder;
}

void Recorder::note(std::string text) {
    Step step;
    step.kind = Step::Kind::note;
    step.path = std::move(text);
    steps_.push_back(std::move(step));
}

bool Recorder::fails() {
    if (calls_++ != fail_at_) return false;
    failed_ = true;
    errno = fail_with_;
    return true;
}

int Recorder::inode_of(const std::string& path) {
    const auto known = names_.find(path);
    if (known != names_.end()) return known->second;
    Step step;
    step.kind = Step::Kind::existed;
    step.inode = names_[path] = next_inode_++;
    step.path = path;
    step.data = content_of(path);
    steps_.push_back(step);
    return step.inode;
}

void Recorder::opened(int fd, const std::string& path, bool is_new) {
    if (!is_new) {
        files_[fd] = {path, std::filesystem::is_directory(path) ? -1 : inode_of(path)};
        return;
    }
    Step step;
    step.kind = Step::Kind::create;
    step.inode = names_[path] = next_inode_++;
    step.path = path;
    files_[fd] = {path, step.inode};
    steps_.push_back(std::move(step));
}

// Under a name that is below no directory.
void Recorder::opened_unnamed(int fd) {
    opened(fd, "unnamed " + std::to_string(next_inode_), true);
}

void Recorder::linked_unnamed(int fd, const std::string& to) {
    Step step;
    step.kind = Step::Kind::link;
    step.inode = names_[to] = files_.at(fd).inode;
    step.to = to;
    steps_.push_back(std::move(step));
}

void Recorder::wrote(int fd, std::uint64_t offset, std::string data) {
    Step step;
    step.kind = Step::Kind::write;
    step.inode = files_.at(fd).inode;
    step.offset = offset;
    step.data = std::move(data);
    steps_.push_back(std::move(step));
}

void Recorder::record_fd(Step::Kind kind, int fd, std::uint64_t size) {
    const Open& open = files_.at(fd);
    Step step;
    step.kind = kind == Step::Kind::sync_file && open.inode < 0 ? Step::Kind::sync_directory : kind;
    step.inode = open.inode;
    step.path = open.path;
    step.offset = size;
    steps_.push_back(std::move(step));
}

void Recorder::record_names(Step::Kind kind, const std::string& path, const std::string& to) {
    const int inode = inode_of(path);
    if (kind != Step::Kind::link) names_.erase(path);
    if (kind != Step::Kind::unlink) names_[to] = inode;
    Step step;
    step.kind = kind;
    step.inode = inode;
    step.path = path;
    step.to = to;
    steps_.push_back(std::move(step));
}

void Recorder::record_sync_of_all() {
    std::set<std::string> directories;
    for (const Step& step : steps_)
        for (const std::string& path : {step.path, step.to})
            if (path.starts_with('/')) directories.insert(std::filesystem::path(path).parent_path().string());
    for (const auto& [path, inode] : names_) {
        Step step;
        step.kind = Step::Kind::sync_file;
        step.inode = inode;
        step.path = path;
        steps_.push_back(std::move(step));
    }
    for (const std::string& path : directories) {
        Step step;
        step.kind = Step::Kind::sync_directory;
        step.path = path;
        steps_.push_back(std::move(step));
    }
}

std::string Recorder::path_of(int fd) const {
    const auto found = files_.find(fd);
    return found == files_.end() ? std::string() : found->second.path;
}

// ---------------------------------------------------------------- the disk

std::vector<Cut> all_cuts() {
    std::vector<Cut> cuts;
    for (const auto names : {Cut::Names::lost, Cut::Names::kept})
        for (const auto data : {Cut::Data::lost, Cut::Data::kept, Cut::Data::zeros})
            cuts.push_back({names, data, 0});
    for (unsigned seed = 1; seed <= 4; ++seed) {
        cuts.push_back({Cut::Names::kept, Cut::Data::torn, seed});
        cuts.push_back({Cut::Names::some, Cut::Data::torn, seed});
    }
    cuts.push_back({Cut::Names::some, Cut::Data::kept, 1});
    return cuts;
}

std::string describe(const Cut& cut) {
    static const char* const names[] = {"lost", "kept", "some"};
    static const char* const data[] = {"lost", "kept", "zeros", "torn"};
    return std::string("names ") + names[static_cast<int>(cut.names)] + ", data " +
           data[static_cast<int>(cut.data)] + ", seed " + std::to_string(cut.seed);
}

std::optional<int> Disk::current(const std::string& path) const {
    std::optional<int> inode;
    if (const auto durable = names_.find(path); durable != names_.end()) inode = durable->second;
    for (const Pending& pending : pending_names_)
        if (const auto changed = pending.change.find(path); changed != pending.change.end())
            inode = changed->second;
    return inode;
}

void Disk::play(const Step& step) {
    const auto change_names = [this](const NameChange& change) {
        Pending pending{{}, change};
        for (const auto& [path, inode] : change) pending.directories.insert(directory_of(path));
        pending_names_.push_back(std::move(pending));
    };
    switch (step.kind) {
        case Step::Kind::existed:
            files_[step.inode].durable = step.data;
            names_[step.path] = step.inode;
            break;
        case Step::Kind::create:
            files_[step.inode] = {};
            change_names({{step.path, step.inode}});
            break;
        case Step::Kind::write:
            files_[step.inode].pending.push_back({step.offset, step.data, false});
            break;
        case Step::Kind::truncate:
            files_[step.inode].pending.push_back({step.offset, {}, true});
            break;
        case Step::Kind::sync_file: {
            std::mt19937 unused;
            files_[step.inode].durable = content(step.inode, {Cut::Names::kept, Cut::Data::kept, 0}, unused);
            files_[step.inode].pending.clear();
            break;
        }
        case Step::Kind::sync_directory:
            for (Pending& pending : pending_names_) {
                if (pending.directories.erase(step.path) == 0 || !pending.directories.empty()) continue;
                for (const auto& [path, inode] : pending.change) {
                    if (inode)
                        names_[path] = *inode;
                    else
                        names_.erase(path);
                }
            }
            std::erase_if(pending_names_, [](const Pending& pending) { return pending.directories.empty(); });
            break;
        case Step::Kind::link:
            change_names({{step.to, step.inode}});
            break;
        case Step::Kind::rename:
            change_names({{step.path, std::nullopt}, {step.to, step.inode}});
            break;
        case Step::Kind::unlink:
            change_names({{step.path, std::nullopt}});
            break;
        case Step::Kind::other:
        case Step::Kind::note:
            break;
    }
}

std::string Disk::content(int inode, const Cut& cut, std::mt19937& random) const {
    const File& file = files_.at(inode);
    std::string result = file.durable;
    if (cut.data == Cut::Data::lost) return result;
    const auto coin = [&] { return (random() & 1) != 0; };
    for (const Change& change : file.pending) {
        if (change.truncate) {
            if (cut.data != Cut::Data::torn || coin())
                result.resize(static_cast<std::size_t>(change.offset), '\0');
            continue;
        }
        const std::uint64_t end = change.offset + change.data.size();
        if (cut.data == Cut::Data::kept) {
            resize_for(result, end);
            result.replace(static_cast<std::size_t>(change.offset), change.data.size(), change.data);
        } else if (cut.data == Cut::Data::zeros) {
            resize_for(result, end);
        } else {
            // Sector by sector; a size that covers what did not come shows zeros there.
            if (coin()) resize_for(result, end);
            for (std::uint64_t at = change.offset; at < end;) {
                const std::uint64_t next = std::min(end, (at / sector + 1) * sector);
                if (coin()) {
                    resize_for(result, next);
                    result.replace(static_cast<std::size_t>(at), static_cast<std::size_t>(next - at),
                                   change.data, static_cast<std::size_t>(at - change.offset),
                                   static_cast<std::size_t>(next - at));
                }
                at = next;
            }
        }
    }
    return result;
}

void Disk::write_out(const Cut& cut, const std::string& from, const std::string& to) const {
    std::mt19937 random(cut.seed);
    std::map<std::string, int> names = names_;
    for (const Pending& pending : pending_names_) {
        if (cut.names == Cut::Names::lost || (cut.names == Cut::Names::some && (random() & 1) != 0)) continue;
        for (const auto& [path, inode] : pending.change) {
            if (inode)
                names[path] = *inode;
            else
                names.erase(path);
        }
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(to))
        if (entry.is_regular_file()) std::filesystem::remove(entry.path());
    for (const auto& [path, inode] : names) {
        if (!path.starts_with(from + "/")) continue;
        std::ofstream(to + path.substr(from.size()), std::ios::binary) << content(inode, cut, random);
    }
}

}  // namespace relais::seam

// ---------------------------------------------------------------- the calls

namespace relais::sys {
namespace {

using seam::Recorder;
using seam::Step;

bool fails() {
    Recorder* const recorder = Recorder::current();
    return recorder != nullptr && recorder->fails();
}

int open_recorded(const std::string& path, int flags, mode_t mode) {
    struct stat before {};
    const bool existed = ::stat(path.c_str(), &before) == 0;
    Recorder* const recorder = Recorder::current();
    const int fd = ::open(path.c_str(), flags, mode);
    if (fd < 0 || recorder == nullptr) return fd;
    recorder->opened(fd, path, !existed);
    if (existed && (flags & O_TRUNC) != 0) recorder->record_fd(Step::Kind::truncate, fd, 0);
    return fd;
}

std::string below(int directory, const char* name) {
    Recorder* const recorder = Recorder::current();
    if (recorder != nullptr && !recorder->path_of(directory).empty())
        return recorder->path_of(directory) + "/" + name;
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(directory)).string() + "/" + name;
}

int names_changed(Step::Kind kind, const char* path, const char* to, int result) {
    if (result == 0 && Recorder::current() != nullptr) Recorder::current()->record_names(kind, path, to);
    return result;
}

// The content of a file that a change of its name will need, before that change.
void know(const char* path) {
    if (Recorder::current() == nullptr || !std::filesystem::is_regular_file(path)) return;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    Recorder::current()->opened(fd, path, false);
    Recorder::current()->forget(fd);
    ::close(fd);
}

}  // namespace

int open(const char* path, int flags, mode_t mode) {
    return fails() ? -1 : open_recorded(path, flags, mode);
}
int openat(int directory, const char* name, int flags, mode_t mode) {
    return fails() ? -1 : open_recorded(below(directory, name), flags, mode);
}
int open_unnamed(const char* directory, mode_t mode) {
    Recorder* const recorder = Recorder::current();
    if (recorder != nullptr && recorder->without_unnamed_files) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (fails()) return -1;
    const int fd = ::open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (fd >= 0 && recorder != nullptr) recorder->opened_unnamed(fd);
    return fd;
}
int link_unnamed(int fd, const char* to) {
    if (fails()) return -1;
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int result = ::linkat(AT_FDCWD, path.c_str(), AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    if (result == 0 && Recorder::current() != nullptr) Recorder::current()->linked_unnamed(fd, to);
    return result;
}
int close(int fd) {
    if (Recorder::current() != nullptr) Recorder::current()->forget(fd);
    return ::close(fd);
}
int fstat(int fd, struct stat* info) {
    return fails() ? -1 : ::fstat(fd, info);
}
int fchmod(int fd, mode_t mode) {
    return fails() ? -1 : ::fchmod(fd, mode);
}
int fchown(int fd, uid_t uid, gid_t gid) {
    return fails() ? -1 : ::fchown(fd, uid, gid);
}
int mkdir(const char* path, mode_t mode) {
    return fails() ? -1 : ::mkdir(path, mode);
}

// No failing calls: what cannot be locked is used unlocked.
int flock(int fd, int operation) {
    if (Recorder::current() == nullptr || !Recorder::current()->without_locks) return ::flock(fd, operation);
    errno = ENOLCK;
    return -1;
}
int lock_range(int) {
    if (Recorder::current() == nullptr || !Recorder::current()->without_locks) return 0;
    errno = ENOLCK;
    return -1;
}

int fsync(int fd) {
    if (fails()) return -1;
    if (Recorder::current() != nullptr) Recorder::current()->record_fd(Step::Kind::sync_file, fd);
    return 0;
}

int syncfs(int) {
    if (fails()) return -1;
    if (Recorder::current() != nullptr) Recorder::current()->record_sync_of_all();
    return 0;
}

int begin_write_back(int, off64_t, off64_t) {
    return fails() ? -1 : 0;
}

int write_back(int) {
    if (fails()) return -1;
    if (Recorder::current() == nullptr || !Recorder::current()->without_write_back) return 0;
    errno = EIO;
    return -1;
}

void fsync_all(std::span<const int> files, std::span<int> errors) {
    for (std::size_t i = 0; i < files.size(); ++i) errors[i] = sys::fsync(files[i]) == 0 ? 0 : errno;
}

int ftruncate(int fd, off_t size) {
    if (fails()) return -1;
    const int result = ::ftruncate(fd, size);
    if (result == 0 && Recorder::current() != nullptr)
        Recorder::current()->record_fd(Step::Kind::truncate, fd, static_cast<std::uint64_t>(size));
    return result;
}

int link(const char* from, const char* to) {
    if (fails()) return -1;
    know(from);
    return names_changed(Step::Kind::link, from, to, ::link(from, to));
}
int rename(const char* from, const char* to) {
    if (fails()) return -1;
    know(from);
    know(to);
    return names_changed(Step::Kind::rename, from, to, ::rename(from, to));
}
int rename_new(const char* from, const char* to) {
    if (::access(to, F_OK) != 0) return rename(from, to);
    errno = EEXIST;
    return -1;
}
int unlink(const char* path) {
    if (fails()) return -1;
    know(path);
    return names_changed(Step::Kind::unlink, path, "", ::unlink(path));
}
int unlinkat(int directory, const char* name, int flags) {
    if (fails()) return -1;
    const std::string path = below(directory, name);
    know(path.c_str());
    return names_changed(Step::Kind::unlink, path.c_str(), "", ::unlinkat(directory, name, flags));
}

ssize_t write(int fd, const void* data, size_t size) {
    const iovec part{const_cast<void*>(data), size};
    return sys::writev(fd, &part, 1);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    if (fails()) return -1;
    const ssize_t count = ::pwrite(fd, data, size, offset);
    if (count > 0 && Recorder::current() != nullptr)
        Recorder::current()->wrote(
            fd, static_cast<std::uint64_t>(offset),
            std::string(static_cast<const char*>(data), static_cast<std::size_t>(count)));
    return count;
}

ssize_t writev(int fd, const iovec* parts, int count) {
    if (fails()) return -1;
    std::string all;
    for (int i = 0; i < count; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    const ssize_t written = ::writev(fd, parts, count);
    if (written <= 0 || Recorder::current() == nullptr) return written;
    // Where it went: also right for a descriptor that appends.
    const off_t end = ::lseek(fd, 0, SEEK_CUR);
    all.resize(static_cast<std::size_t>(written));
    Recorder::current()->wrote(fd, static_cast<std::uint64_t>(end - written), std::move(all));
    return written;
}

}  // namespace relais::sys
