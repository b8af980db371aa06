// The root half of qmail-keyd opens files and parses nothing; the confined half gets their descriptors, a
// whole set at a time. And how the root half sees that they changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "keyd/key_store.h"

namespace relais::keyd {

struct SentFile {
    std::string name;  // below control/; empty: the set is complete
    Fd fd;
};
// Both throw Error; nothing or false when the other half has gone.
bool send_file(int socket, const std::string& name, int fd);
std::optional<SentFile> receive_file(int socket);
// The whole content (1 MiB at most), from the file's beginning. Throws Error.
SecretText read_secret(int fd);

// The certificate files of control/ and those whose change matters to servers of TLS.
class FileWatch {
  public:
    explicit FileWatch(control::Home home);
    // Names below control/ that exist, in order: servercert.pem, servercert.key, servercerts/*.pem,
    // servercerts/*.key, dkim/DOMAIN/SELECTOR, dkim/DOMAIN/.use.
    std::vector<std::string> names() const;
    // Opens one; an empty Fd if it is gone or no ordinary file.
    Fd open(const std::string& name) const;
    // True the first time, and whenever something differs (inode, size, times, names).
    bool changed();
    // Readable when something may have changed below control/ or where its links lead.
    int fd() const { return inotify_.get(); }
    // Takes what there is to read, and watches directories that are new.
    void refresh();

  private:
    std::string describe() const;
    std::vector<std::string> mail_key_folders() const;

    control::Home home_;
    Fd inotify_;
    std::string last_;
};

}  // namespace relais::keyd
