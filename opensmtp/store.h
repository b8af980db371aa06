// The open-smtp store: which client addresses may relay because somebody logged in from there.
//
//   $QMAILHOME/open-smtp/SPLIT/ADDRESS   SPLIT: 0 to 255, by a hash of the address; a network is "2001:db8::_64"
//
// An entry is one small file of two records in turn (entry_file.h), written and read at once, so a reader
// sees a login or the one before. open-smtpd (qmailo) alone writes; qmail-smtpd, relay-explain and open-smtp
// read. Nothing is synced: what a power cut takes away is a right to relay, and the next login brings it
// back; a file that it damages grants nothing.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "control/home.h"
#include "opensmtp/entry.h"

namespace relais::opensmtp {

inline constexpr unsigned store_splits = 256;

// Where the entry of an address (canonical, or a network of network64) lies, below open-smtp/.
unsigned split_of(std::string_view address);
std::string file_name(std::string_view address);
// The address of a file name; nothing for temporary and foreign names.
std::optional<std::string> address_of_file(std::string_view name);

// For reading.
class OpenSmtpStore {
  public:
    explicit OpenSmtpStore(const control::Home& home) : directory_(home.path("open-smtp")) {}

    // The entry of an address or network in its canonical spelling, live or not; nothing if there is none or
    // if it is damaged. Throws Error when the store cannot be read (EACCES and the like), not when it does
    // not exist.
    std::optional<Entry> look_up(std::string_view address) const;
    // Calls visit for every entry, in no order. Throws Error.
    void for_each(const std::function<void(const Entry&)>& visit) const;
    // The addresses of one split that have a file.
    std::vector<std::string> addresses(unsigned split) const;

  private:
    std::string directory_;
};

// For the one writer. Every call is whole: it has happened or it has not, also after kill -9.
class StoreWriter {
  public:
    explicit StoreWriter(const control::Home& home);

    // Puts an entry in the place of what there was, which is returned. Throws Error (disk full); then the old
    // entry stands.
    std::optional<Entry> put(const Entry& entry);
    // False if there was none. Throws Error.
    bool remove(std::string_view address);

  private:
    void open_root();
    int split_directory(unsigned split);
    Fd open_entry(unsigned split, const std::string& name);

    std::string directory_;
    Fd root_;
    std::array<Fd, store_splits> splits_;
};

}  // namespace relais::opensmtp
