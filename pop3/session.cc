#include "pop3/session.h"

#include <limits>

#include "base/error.h"
#include "base/program.h"
#include "pop3/multiline.h"
#include "pop3/settings.h"

namespace relais::pop3 {
namespace {

constexpr std::uint64_t all_lines = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void Session::run() {
    say("+OK");
    std::string line;
    while (!ended_) {
        if (!reader_.has_buffered()) flush();
        const Reader::Line end = reader_.read_line(line, line_limit, deadline());
        if (end == Reader::Line::ended) break;
        if (end == Reader::Line::too_long) {
            bad_command("line too long");
            continue;
        }
        if (line.ends_with('\r')) line.pop_back();
        maildir_.may_look_again();
        handle(parse_command(line));
    }
    flush();
}

void Session::handle(const Command& command) {
    const std::string& verb = command.verb;
    if (verb == "STAT") return stat();
    if (verb == "LIST") return list(command.argument);
    if (verb == "UIDL") return uidl(command.argument);
    if (verb == "RETR") return retrieve(command.argument);
    if (verb == "TOP") return top(command.argument);
    if (verb == "DELE") return mark_deleted(command.argument);
    if (verb == "RSET") return reset();
    if (verb == "NOOP") return say("+OK");
    if (verb == "CAPA") return capabilities();
    if (verb == "QUIT") return quit();
    bad_command("no such command here");
}

void Session::capabilities() {
    say(std::string(
            "+OK what there is\r\nTOP\r\nUSER\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n") +
        (utf8_ ? "UTF8\r\n" : "") + "EXPIRE NEVER\r\nIMPLEMENTATION relais\r\n.");
}

void Session::stat() {
    maildir_.count_sizes();
    const auto totals = maildir_.totals();
    say("+OK " + std::to_string(totals.count) + " " + std::to_string(totals.octets));
}

void Session::list(std::string_view argument) {
    maildir_.count_sizes();
    const auto entry = [](std::size_t number, const StoredMessage& message) {
        return std::to_string(number) + " " + std::to_string(message.size);
    };
    if (!argument.empty()) {
        if (const auto* message = message_of(argument))
            say("+OK " + entry(*parse_message_number(argument), *message));
        return;
    }
    say("+OK");
    std::size_t number = 0;
    for (const StoredMessage& message : maildir_.messages())
        if (++number; !message.deleted) say(entry(number, message));
    say(".");
}

void Session::uidl(std::string_view argument) {
    if (!argument.empty()) {
        if (const auto* message = message_of(argument))
            say("+OK " + std::to_string(*parse_message_number(argument)) + " " +
                Maildir::unique_id(*message));
        return;
    }
    say("+OK");
    std::size_t number = 0;
    for (const StoredMessage& message : maildir_.messages())
        if (++number; !message.deleted) say(std::to_string(number) + " " + Maildir::unique_id(message));
    say(".");
}

void Session::retrieve(std::string_view argument) {
    StoredMessage* const message = message_of(argument);
    if (message != nullptr && send_message(*message, all_lines)) message->retrieved = true;
}

void Session::top(std::string_view argument) {
    const auto wanted = parse_top(argument);
    if (!wanted) return bad_command("TOP takes a message and a number of lines");
    if (StoredMessage* const message = message_of(wanted->first)) send_message(*message, wanted->second);
}

// False if the message is gone, which the client has been told then.
bool Session::send_message(StoredMessage& message, std::uint64_t body_lines) {
    Fd file;
    try {
        file = maildir_.open(message);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        say("-ERR [SYS/TEMP] unable to open that message");
        return false;
    }
    if (!file) {
        say("-ERR that message is gone: another program has removed it");
        return false;
    }
    say("+OK");
    Multiline converter(body_lines);
    std::vector<char> buffer(io_buffer_size);
    for (;;) {
        const std::size_t size = read_some(file.get(), buffer, Deadline::never());
        if (size == 0 || !converter.add({buffer.data(), size}, pending_)) break;
        if (pending_.size() >= io_buffer_size) flush();
    }
    converter.finish(pending_);
    return true;
}

void Session::mark_deleted(std::string_view argument) {
    StoredMessage* const message = message_of(argument);
    if (message == nullptr) return;
    message->deleted = true;
    say("+OK");
}

void Session::reset() {
    for (StoredMessage& message : maildir_.messages()) message.deleted = false;
    say("+OK");
}

void Session::quit() {
    ended_ = true;
    if (maildir_.update())
        say("+OK");
    else
        say("-ERR [SYS/TEMP] some messages could not be removed");
}

StoredMessage* Session::message_of(std::string_view argument) {
    const auto number = parse_message_number(argument);
    if (number) return message_of(*number);
    bad_command("messages are numbered from 1");
    return nullptr;
}

StoredMessage* Session::message_of(std::uint64_t number) {
    auto& messages = maildir_.messages();
    if (number > messages.size()) {
        say("-ERR there are not that many messages");
        return nullptr;
    }
    StoredMessage* const message = &messages[static_cast<std::size_t>(number - 1)];
    if (!message->deleted) return message;
    say("-ERR that message is deleted already");
    return nullptr;
}

void Session::bad_command(std::string_view why) {
    say("-ERR " + std::string(why));
    if (++bad_commands_ >= bad_commands_limit) ended_ = true;
}

void Session::say(std::string_view text) {
    pending_.append(text).append("\r\n");
    if (pending_.size() >= io_buffer_size) flush();
}

void Session::flush() {
    write_all(output_, pending_, deadline());
    pending_.clear();
}

}  // namespace relais::pop3
