// A model of what a disk holds after a power cut. While a Recorder lives, the calls of base/sys.h (this
// directory's version of it) are carried out on the real file system and recorded; any call can be made to
// fail. Afterwards the first k steps can be played into a Disk, and the Disk written out as one of the many
// things that a cut at that moment may leave: nothing is certain to be there but file contents after their
// fsync and names after the fsync of their directory; what was not synced may be there, in part, in any
// order.
//
// Code under test must be compiled with this directory first on the include path (relais_seam_test in CMake).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace relais::seam {

struct Step {
    enum class Kind {
        existed,
        create,
        write,
        truncate,
        sync_file,
        sync_directory,
        link,
        rename,
        unlink,
        other,
        note
    };
    Kind kind = Kind::other;
    int inode = -1;
    std::string path;  // note: its text
    std::string to;
    std::uint64_t offset = 0;  // truncate: the size
    std::string data;          // existed: the content
};

class Recorder {
  public:
    Recorder();
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // Something the test wants to know about a moment: "acknowledged 17".
    void note(std::string text);
    // Lets the n-th call from now (0 is the next) fail, without effect.
    void fail_call(std::size_t n, int error_number) { fail_at_ = calls_ + n, fail_with_ = error_number; }
    // How many calls there were, and whether the failing one was reached.
    std::size_t calls() const { return calls_; }
    bool failed() const { return failed_; }
    // As on a file system where every file has a name.
    bool without_unnamed_files = false;
    bool without_locks = false;
    bool without_write_back = false;  // it fails, and the syncs after it succeed
    const std::vector<Step>& steps() const { return steps_; }

    // For the calls in sys.h.
    static Recorder* current();
    // True if this call is to fail; errno is set.
    bool fails();
    void opened(int fd, const std::string& path, bool is_new);
    void wrote(int fd, std::uint64_t offset, std::string data);
    void record_fd(Step::Kind kind, int fd, std::uint64_t size = 0);
    // Everything that was seen so far is synced.
    void record_sync_of_all();
    void record_names(Step::Kind kind, const std::string& path, const std::string& to = {});
    void opened_unnamed(int fd);
    void linked_unnamed(int fd, const std::string& to);
    void forget(int fd) { files_.erase(fd); }
    std::string path_of(int fd) const;

  private:
    int inode_of(const std::string& path);

    struct Open {
        std::string path;
        int inode;
    };
    std::vector<Step> steps_;
    std::map<int, Open> files_;
    std::map<std::string, int> names_;
    int next_inode_ = 0;
    std::size_t calls_ = 0;
    std::size_t fail_at_ = SIZE_MAX;
    int fail_with_ = 0;
    bool failed_ = false;
};

// How much of what was not synced a cut leaves.
struct Cut {
    enum class Names { lost, kept, some } names;
    enum class Data { lost, kept, zeros, torn } data;
    unsigned seed = 0;
};
// The cuts worth trying at every step.
std::vector<Cut> all_cuts();
std::string describe(const Cut& cut);

class Disk {
  public:
    void play(const Step& step);
    // Writes what the cut leaves below `from` (as recorded) into directory `to`, whose old files go.
    // Directories must exist there.
    void write_out(const Cut& cut, const std::string& from, const std::string& to) const;

  private:
    struct Change {
        std::uint64_t offset;
        std::string data;
        bool truncate;
    };
    struct File {
        std::string durable;
        std::vector<Change> pending;
    };
    // Names that change together (a rename changes two), each to an inode or to nothing.
    using NameChange = std::map<std::string, std::optional<int>>;
    struct Pending {
        std::set<std::string> directories;  // all must be synced for it to be sure
        NameChange change;
    };

    std::string content(int inode, const Cut& cut, std::mt19937& random) const;
    std::optional<int> current(const std::string& path) const;

    std::map<int, File> files_;
    std::map<std::string, int> names_;  // durable
    std::vector<Pending> pending_names_;
};

}  // namespace relais::seam
