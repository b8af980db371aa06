// What open-smtpd is asked, on its socket sockets/open-smtp (0600, root's or the one user's; the listening
// descriptor comes from qmail-start, start/descriptors.h). A request is a line: fields separated by NUL,
// ended by LF. Answers come in the order of the requests: "ok" or "error", NUL, text, LF.
//
//   channel ADDRESS SERVICE             binds the connection to this client; after it only
//   confirm USER                        who logged in; once, and the connection ends
//   add ADDRESS USER SERVICE            somebody logged in now
//   import ADDRESS USER SERVICE WALL    ... or at that time; an entry that is newer stands
//   remove ADDRESS                      the text of the answer is the number of entries removed
//   remove-user USER                    likewise
//   expire                              likewise
//
// Trust: whoever could connect may do everything, so a login chain connects while it is still root, binds the
// channel, and hands it to the step that runs as the user, which can do no more than confirm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "control/home.h"

namespace relais::opensmtp {

inline constexpr std::size_t protocol_line_limit = 1024;
// Where open-smtp-channel leaves the number of its descriptor for open-smtp-allow.
inline constexpr const char* channel_variable = "OPENSMTPFD";

enum class Verb { channel, confirm, add, import, remove, remove_user, expire };

struct Request {
    Verb verb = Verb::expire;
    std::string address = {};
    std::string user = {};
    std::string service = {};
    std::int64_t wall = 0;

    bool operator==(const Request&) const = default;
};

struct Answer {
    bool ok = false;
    std::string text;

    bool operator==(const Answer&) const = default;
};

// With the LF. Throws a permanent Error if a field cannot be said (control characters, too long).
std::string encode(const Request& request);
std::string encode(const Answer& answer);
// Without the LF. Nothing for what is not exactly right; addresses come out canonical.
std::optional<Request> decode_request(std::string_view line);
std::optional<Answer> decode_answer(std::string_view line);

// One connection to open-smtpd.
class OpenSmtpClient {
  public:
    // Connects. Throws Error: ENOENT, ECONNREFUSED when no open-smtpd runs, EACCES when this user may not
    // ask.
    OpenSmtpClient(const control::Home& home, Deadline deadline);
    // Takes a channel over that another program has opened.
    explicit OpenSmtpClient(Fd socket) : socket_(std::move(socket)), reader_(socket_.get()) {}

    // Asks and waits. Throws Error when open-smtpd goes away or the deadline passes.
    Answer ask(const Request& request, Deadline deadline);
    // The same for many at once, of at most 256: one write, then the answers.
    std::vector<Answer> ask(const std::vector<Request>& requests, Deadline deadline);
    int fd() const { return socket_.get(); }
    Fd release() { return std::move(socket_); }

  private:
    Fd socket_;
    Reader reader_;
};

}  // namespace relais::opensmtp
