// The messages of a Maildir as one POP3 session sees them: numbered from 1 in the order of their arrival,
// fixed when the session begins. Others may deliver, read, rename and delete meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace relais::pop3 {

struct StoredMessage {
    std::string name;          // in its directory, flags behind ':' included
    bool is_new = false;       // in new/, else in cur/
    std::uint64_t size = 0;    // octets as sent: see Maildir::sizes
    std::int64_t arrival = 0;  // nanoseconds; the order
    bool exact = false;        // size counts each line end as CR LF
    bool deleted = false;      // marked by DELE
    bool retrieved = false;    // sent whole in this session

    // What stays when flags change: the file's name up to ':'.
    std::string_view base_name() const { return std::string_view(name).substr(0, name.find(':')); }
    std::string path() const { return (is_new ? "new/" : "cur/") + name; }
};

class Maildir {
  public:
    // Opens the Maildir at directory (relative to the current one or absolute), removes files in tmp/ that
    // nobody has touched for 36 hours, and looks at new/ and cur/. Throws Error when it is none.
    explicit Maildir(const std::string& directory);

    std::vector<StoredMessage>& messages() { return messages_; }
    // Not marked as deleted: how many, and their octets.
    struct Totals {
        std::uint64_t count = 0;
        std::uint64_t octets = 0;
    };
    Totals totals() const;

    // Makes the sizes those of RFC 1939 (11), every line end two octets, by reading the files, unless they
    // are so many or so large that this would hold up the session: then all stay the sizes of the files. A
    // name with ",W=" in it says it itself. Done once.
    void count_sizes();

    // A name that is wrong by now makes Maildir look at all names again, once; call this before a command
    // that may ask for it anew.
    void may_look_again() { looked_again_ = false; }
    // The message's file, wherever it is by now; not set when it is gone. Throws Error for everything else.
    Fd open(StoredMessage& message);

    // The unique id (RFC 1939, 7) of a message: the base name where that is 1 to 70 printable characters,
    // else a digest of it.
    static std::string unique_id(const StoredMessage& message);

    // What QUIT does: removes what is marked, moves the rest of new/ to cur/, with the flag S where it was
    // retrieved. False if something could not be removed. What has vanished is as good as removed.
    bool update();

  private:
    void clean_tmp() const;
    void scan(const char* part, bool is_new);
    void order();
    bool find_again(StoredMessage& message);
    bool remove(StoredMessage& message);

    Fd directory_;
    std::vector<StoredMessage> messages_;
    bool counted_ = false;
    bool looked_again_ = false;
};

}  // namespace relais::pop3
