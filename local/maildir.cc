#include "local/maildir.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/classic_errno.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/time.h"
#include "local/write.h"

namespace relais::local {
namespace {

constexpr int name_attempts = 100;

Error failure(std::string_view verb, const std::string& object, int error_number) {
    std::string text = "Temporary error on maildir delivery. (#4.3.0)\nunable to ";
    text.append(verb).append(" ").append(object).append(": ").append(classic_errno_text(error_number));
    return {Reaction::temporary, std::move(text), error_number};
}

[[noreturn]] void fail(std::string_view verb, const std::string& object, int error_number) {
    throw failure(verb, object, error_number);
}

std::string escaped_host() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    std::string host;
    for (const char c : std::string_view(name.data())) {
        if (c == '/')
            host += "\\057";
        else if (c == ':')
            host += "\\072";
        else
            host += c;
    }
    return host.empty() ? "localhost" : host;
}

// Unique on this host as long as the clock does not stand still while process ids come round again; O_EXCL
// and link(2) see to it that even then nothing is overwritten.
std::string new_name() {
    static std::uint64_t deliveries = 0;
    const std::uint64_t now = now_microseconds();
    return std::to_string(now / 1000000) + ".M" + std::to_string(now % 1000000) + "P" +
           std::to_string(::getpid()) + "Q" + std::to_string(++deliveries) + "." + maildir_host();
}

// Kernels that let only root link a descriptor let others do it through /proc, where there is one.
bool can_link_unnamed() {
    static const bool can = ::access("/proc/self/fd", X_OK) == 0;
    return can;
}

}  // namespace

const std::string& maildir_host() {
    static const std::string host = escaped_host();
    return host;
}

// A new file in tmp/, without a name there where the file system can do that. Otherwise its name goes when
// the delivery is over: by then it has another one in new/, or is of no use.
class MaildirBatch::File {
  public:
    explicit File(std::string directory) : directory_(std::move(directory)) {
        if (can_link_unnamed()) file_ = Fd(sys::open_unnamed((directory_ + "tmp").c_str(), 0600));
        if (!file_) create_with_name();
    }
    ~File() {
        if (has_name_in_tmp_) sys::unlink(path().c_str());
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void write(std::string_view head, const Message& message) const {
        const std::string_view start = message.start();
        if (!write_two(file_.get(), head, start)) fail("write", path(), errno);
        if (message.size() == start.size()) return;
        std::uint64_t offset = 0;
        message.each_piece([&](std::string_view piece) {
            if (offset != 0 && !write_fully(file_.get(), piece)) fail("write", path(), errno);
            offset += piece.size();
        });
    }
    // So that the syncs that follow find nothing left to write, and all of them wait for the same commit. 0
    // or an error number.
    int start_writing_back() const { return sys::begin_write_back(file_.get(), 0, 0) == 0 ? 0 : errno; }
    int wait_for_writing_back() const { return sys::write_back(file_.get()) == 0 ? 0 : errno; }
    int descriptor() const { return file_.get(); }
    Error not_synced(int error_number) const { return failure("sync", path(), error_number); }
    void publish() {
        if (has_name_in_tmp_) {
            if (sys::link(path().c_str(), final_path().c_str()) == 0) return;
        } else {
            for (int attempt = 0; attempt < name_attempts; ++attempt) {
                name_ = new_name();
                if (sys::link_unnamed(file_.get(), final_path().c_str()) == 0) return;
                if (errno != EEXIST) break;
            }
        }
        fail("create", final_path(), errno);
    }
    void take_back() const { sys::unlink(final_path().c_str()); }
    std::string final_directory() const { return directory_ + "new"; }

  private:
    void create_with_name() {
        for (int attempt = 0; attempt < name_attempts; ++attempt) {
            name_ = new_name();
            file_ = Fd(sys::open(path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
            has_name_in_tmp_ = static_cast<bool>(file_);
            if (file_) return;
            if (errno == ENOENT || errno == ENOTDIR)
                throw Error(Reaction::temporary, "Unable to chdir to maildir. (#4.2.1)", errno);
            if (errno != EEXIST) break;
        }
        fail("create", path(), errno);
    }
    std::string path() const { return directory_ + "tmp/" + name_; }
    std::string final_path() const { return final_directory() + "/" + name_; }

    std::string directory_;
    std::string name_;
    Fd file_;
    bool has_name_in_tmp_ = false;
};

// A directory new/ that something goes into.
struct MaildirBatch::NewDirectory {
    Fd fd;
    std::vector<std::size_t> files;  // by index

    void open(const std::string& path) {
        fd = Fd(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
        if (!fd) fail("open", path, errno);
    }
};

MaildirBatch::MaildirBatch() = default;
MaildirBatch::~MaildirBatch() = default;

void MaildirBatch::add(const std::string& directory, std::string_view head, const Message& message) {
    auto file = std::make_unique<File>(directory);
    file->write(head, message);
    files_.push_back(std::move(file));
}

// Files first, then names: nothing is in new/ that is not whole.
std::vector<std::optional<Error>> MaildirBatch::finish() {
    std::vector<std::optional<Error>> results(files_.size());
    sync_files(results);
    std::map<std::string, NewDirectory> directories;
    for (std::size_t i = 0; i < files_.size(); ++i) {
        if (results[i]) continue;
        NewDirectory& directory = directories[files_[i]->final_directory()];
        try {
            if (directory.files.empty()) directory.open(files_[i]->final_directory());
            files_[i]->publish();
            directory.files.push_back(i);
        } catch (const Error& error) {
            results[i] = error;
        }
    }
    sync_names(directories, results);
    files_.clear();
    return results;
}

void MaildirBatch::sync_files(std::vector<std::optional<Error>>& results) const {
    std::vector<int> written(files_.size(), 0);
    if (files_.size() > 1) {
        for (std::size_t i = 0; i < files_.size(); ++i) written[i] = files_[i]->start_writing_back();
        for (std::size_t i = 0; i < files_.size(); ++i)
            if (written[i] == 0) written[i] = files_[i]->wait_for_writing_back();
    }
    std::vector<int> descriptors;
    for (const auto& file : files_) descriptors.push_back(file->descriptor());
    std::vector<int> errors(files_.size());
    sys::fsync_all(descriptors, errors);
    for (std::size_t i = 0; i < files_.size(); ++i)
        if (const int error = written[i] != 0 ? written[i] : errors[i]; error != 0)
            results[i] = files_[i]->not_synced(error);
}

// The names of one directory's new files: durable, all of them, or none.
void MaildirBatch::sync_names(const std::map<std::string, NewDirectory>& directories,
                              std::vector<std::optional<Error>>& results) const {
    std::vector<int> descriptors;
    std::vector<const std::pair<const std::string, NewDirectory>*> synced;
    for (const auto& entry : directories) {
        if (entry.second.files.empty()) continue;
        descriptors.push_back(entry.second.fd.get());
        synced.push_back(&entry);
    }
    std::vector<int> errors(descriptors.size());
    sys::fsync_all(descriptors, errors);
    for (std::size_t i = 0; i < synced.size(); ++i) {
        if (errors[i] == 0) continue;
        for (const std::size_t file : synced[i]->second.files) {
            // It will be delivered again; with this copy there would be two.
            files_[file]->take_back();
            results[file] = failure("sync", synced[i]->first, errors[i]);
        }
    }
}

void deliver_to_maildir(const std::string& directory, std::string_view head, const Message& message) {
    MaildirBatch batch;
    batch.add(directory, head, message);
    if (auto error = batch.finish().front()) throw *std::move(error);
}

}  // namespace relais::local
