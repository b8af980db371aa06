#include "local/maildir.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/time.h"
#include "local/write.h"

namespace relais::local {
namespace {

constexpr int name_attempts = 100;

[[noreturn]] void fail(std::string_view verb, const std::string& object, int error_number) {
    std::string text = "Temporary error on maildir delivery. (#4.3.0)\nunable to ";
    text.append(verb).append(" ").append(object).append(": ").append(errno_text(error_number));
    throw Error(Reaction::temporary, std::move(text), error_number);
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

// A new file in tmp/, without a name there where the file system can do that. Otherwise its name goes when the delivery is
// over: by then it has another one in new/, or is of no use.
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
    // Only a beginning: the fsync that follows waits less.
    void start_writing_back() const { ::sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }
    void sync() const {
        if (sys::fsync(file_.get()) != 0) fail("sync", path(), errno);
    }
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

namespace {

// The names of one directory's new files: durable, all of them, or none.
template <class File>
void publish_in(const std::string& directory, const std::vector<File*>& files,
                std::vector<std::optional<Error>*> results) {
    const Fd fd(sys::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    const int open_error = errno;
    bool any = false;
    for (std::size_t i = 0; i < files.size(); ++i) {
        try {
            if (!fd) fail("open", directory, open_error);
            files[i]->publish();
            any = true;
        } catch (const Error& error) {
            *results[i] = error;
        }
    }
    if (!any || sys::fsync(fd.get()) == 0) return;
    const int sync_error = errno;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (*results[i]) continue;
        // It will be delivered again; with this copy there would be two.
        files[i]->take_back();
        try {
            fail("sync", directory, sync_error);
        } catch (const Error& error) {
            *results[i] = error;
        }
    }
}

}  // namespace

MaildirBatch::MaildirBatch() = default;
MaildirBatch::~MaildirBatch() = default;

void MaildirBatch::add(const std::string& directory, std::string_view head, const Message& message) {
    auto file = std::make_unique<File>(directory);
    file->write(head, message);
    files_.push_back(std::move(file));
}

std::vector<std::optional<Error>> MaildirBatch::finish() {
    std::vector<std::optional<Error>> results(files_.size());
    if (files_.size() > 1)
        for (const auto& file : files_) file->start_writing_back();
    std::map<std::string, std::pair<std::vector<File*>, std::vector<std::optional<Error>*>>> by_directory;
    for (std::size_t i = 0; i < files_.size(); ++i) {
        try {
            files_[i]->sync();
        } catch (const Error& error) {
            results[i] = error;
            continue;
        }
        auto& [files, outcomes] = by_directory[files_[i]->final_directory()];
        files.push_back(files_[i].get());
        outcomes.push_back(&results[i]);
    }
    for (const auto& [directory, entry] : by_directory) publish_in(directory, entry.first, entry.second);
    files_.clear();
    return results;
}

void deliver_to_maildir(const std::string& directory, std::string_view head, const Message& message) {
    MaildirBatch batch;
    batch.add(directory, head, message);
    if (auto error = batch.finish().front()) throw *std::move(error);
}

}  // namespace relais::local
