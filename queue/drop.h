// The drop directory: where programs of this host leave a message while qmail-queued does not run. It is
// drop/ below the instance, of mode 3733: everybody may make a file there, nobody but qmailq may list them,
// and what is made has qmailq's group.
//
//   drop/NAME   NAME: 32 hexadecimal digits, chosen at random. A plain file of its submitter's, of mode 0640,
//               with no second name; whoever writes it holds a lock (flock) on it.
//   file = magic pid (4 octets) submission checksum (8 octets)
//
// A submission is what protocol.h says, as the socket would have got it; the checksum is of all before it;
// numbers are little-endian. Without the lock and with the right checksum the message is whole: it was, or
// may have been, acknowledged. Without both it never was. Whose the file is, the kernel says: that is the uid
// of the trace field. Nothing else in it is believed.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "control/home.h"
#include "queue/format.h"

namespace relais::queue {

inline constexpr std::string_view drop_magic = "relaisD1";
inline constexpr std::size_t drop_head_size = 12;
inline constexpr std::size_t drop_checksum_size = 8;
inline constexpr std::size_t drop_name_size = 32;
inline constexpr mode_t drop_file_mode = 0640;
inline constexpr mode_t drop_directory_mode = 03733;
// Of one file, so that a program that writes for ever comes to an end.
inline constexpr std::uint64_t drop_file_limit = std::uint64_t{2} << 30;

std::string drop_directory(const control::Home& home);

// What is wrong with a file of that kind, as fstat has it, in a directory of that group; "" if nothing is.
std::string_view trouble_of_dropped(const struct stat& file, gid_t group);
bool is_drop_name(std::string_view name);
// The checksum, as it ends a file.
std::string drop_checksum(const Checksum& sum);

// One message on its way into the directory. Destroyed before keep(): there is no file.
class Drop {
  public:
    // Nothing where there is no such directory, or where this process may not use it: what the network brings
    // (a role's process, or one that has a session of qmail-smtpd's to name) is for the peer to keep. Nothing
    // too when the file cannot be made, or the disk's floor is reached.
    static std::unique_ptr<Drop> make(const control::Home& home);
    ~Drop();
    Drop(const Drop&) = delete;
    Drop& operator=(const Drop&) = delete;

    // Adds octets of the submission. Throws Error; EFBIG beyond drop_file_limit.
    void write(std::string_view octets);
    // Writes the end, syncs the file and its directory. When it returns, qmail-queued will find the message.
    // Throws Error.
    void keep();

  private:
    Drop(Fd directory, std::string name, Fd file);
    void sync() const;

    Fd directory_;  // by its path alone (O_PATH): a user may not read it
    std::string name_;
    Fd file_;
    Checksum checksum_;
    std::uint64_t size_ = 0;
    bool kept_ = false;
};

}  // namespace relais::queue
