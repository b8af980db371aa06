#include "queue/list_commands.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "queue/change.h"
#include "queue/content.h"
#include "queue/damaged.h"
#include "queue/describe.h"
#include "send/bounce_hints.h"
#include "send/recipient_facts.h"

namespace relais::queue {
namespace {

using send::ControlVerb;

constexpr std::size_t bounce_text_shown = 65536;
constexpr int cut_look_pause = 100;  // milliseconds
// Before they are removed.
constexpr std::size_t named_at_most = 20;
// Asking qmail-send why each message waits is for a screen, not for a million of them.
constexpr std::uint64_t reasons_asked = 1000;

void say(std::string_view text) {
    write_all(STDOUT_FILENO, text, Deadline::never());
}

// Nothing if control/bouncehints says so, or if it cannot be read: hints are a courtesy.
std::optional<mail::HintTable> read_hints(const control::Home& home) {
    std::vector<std::string> mistakes;
    std::optional<mail::HintTable> table;
    try {
        if (send::HintPlaces::read(home).queue_list) table = send::read_hint_table(home, mistakes);
    } catch (const Error& error) {
        mistakes.push_back(error.what());
    }
    for (const std::string& mistake : mistakes) log_line("warning: " + mistake);
    return table;
}

// qmail-send's words on why messages wait, as long as it answers.
class Reasons {
  public:
    explicit Reasons(const control::Home& home) {
        try {
            client_ = connect_to_qmail_send(home);
        } catch (const Error&) {
        }
    }
    std::string of(MessageId id) {
        if (!client_ || asked_++ >= reasons_asked) return "";
        try {
            const auto answer = client_->ask({ControlVerb::why, id}, Deadline::in(Seconds(5)));
            return answer.ok ? std::string(trim(answer.text)) : "";
        } catch (const Error&) {
            client_.reset();
            return "";
        }
    }

  private:
    std::optional<send::ControlClient> client_;
    std::uint64_t asked_ = 0;
};

// Asks on standard error, below the lines of the first of them.
bool confirmed(std::string_view verb, std::size_t count, const std::string& lines) {
    const std::string what = count == 1 ? "1 message" : std::to_string(count) + " messages";
    write_all(STDERR_FILENO,
              lines +
                  (count > named_at_most && !lines.empty()
                       ? "and " + std::to_string(count - named_at_most) + " more\n"
                       : "") +
                  "queue-list: " + std::string(verb) + " " + what + "? This cannot be undone. [y/N] ",
              Deadline::never());
    std::string answer;
    Reader(STDIN_FILENO).read_line(answer, 100, Deadline::never());
    return answer == "y" || answer == "Y" || answer == "yes";
}

// Whether qmail-send still has the delivery whose line begins so.
bool still_runs(send::ControlClient& client, std::string_view beginning) {
    const auto answer = client.ask({ControlVerb::running, 0}, Deadline::in(Seconds(5)));
    return answer.ok && ("\n" + answer.text).find("\n" + std::string(beginning)) != std::string::npos;
}

// Waits a moment for the delivery of that line to report.
void tell_end(send::ControlClient& client, std::string_view line) {
    const std::string_view beginning = line.substr(0, line.find(" to ") + 1);
    const Deadline patience = Deadline::in(Seconds(5));
    bool runs = still_runs(client, beginning);
    for (; runs && !patience.passed(); runs = still_runs(client, beginning))
        ::poll(nullptr, 0, cut_look_pause);
    say("cut " + printable(line) +
        (runs ? "; it has not ended yet: a server that has all of the message has a minute to answer\n"
              : "\n"));
}

void list_damaged(const ListOptions& options, const std::vector<DamagedFile>& files) {
    std::string text = options.json ? "[" : files.empty() ? "" : damaged_table_head();
    for (const DamagedFile& file : files)
        text += options.json ? (&file == files.data() ? "\n" : ",\n") + damaged_json(file, now_seconds())
                             : damaged_rows(file, now_seconds());
    say(text + (options.json ? (files.empty() ? "]\n" : "\n]\n") : ""));
    if (files.empty() && !options.json) log_line("no damaged message has been put aside");
}

// False if it was not done.
bool change_damaged(const control::Home& home, const DamagedFile& file, bool resubmit) {
    std::string trouble;
    if (resubmit)
        trouble = resubmit_damaged(home, file);
    else
        remove_damaged(home, file.id);
    if (trouble.empty())
        say(std::to_string(file.id) + (resubmit ? ": resubmitted\n" : ": deleted\n"));
    else
        log_line(std::to_string(file.id) + ": not resubmitted: " + printable(trouble));
    return trouble.empty();
}

}  // namespace

void complete(ListOptions& options) {
    for (const auto& [text, span] : {std::pair(&options.older, &options.filter.older),
                                     std::pair(&options.newer, &options.filter.newer)}) {
        if (text->empty()) continue;
        *span = parse_span(*text);
        if (!*span) throw_permanent("this is no time: " + *text + " (90s, 15m, 2h, 3d, 1w)");
    }
    for (const std::string& text : options.ids) {
        const auto id = parse_message_name(text.starts_with('#') ? std::string_view(text).substr(1)
                                                                 : std::string_view(text));
        if (!id) throw_permanent("this is no message id: " + text);
        options.filter.ids.push_back(*id);
    }
    for (const std::string& state : options.filter.states)
        if (!is_state_name(state)) throw_permanent("there is no state " + state);
    if (options.filter.sender == "<>") options.filter.sender = "";
}

int list_messages(const control::Home& home, const ListOptions& options, bool everything) {
    const send::RewriteRules rules = read_rules(home);
    const auto hints = read_hints(home);
    Reasons reasons(home);
    std::uint64_t count = 0;
    const Store store(home);
    std::string text = options.json ? "[" : "";
    select(home, options.filter, [&](const SeenMessage& seen) {
        Surroundings around{rules,
                            now_seconds(),
                            reasons.of(seen.id()),
                            "",
                            message_path(home, seen.id()),
                            hints ? &*hints : nullptr};
        if (options.subject && !seen.damaged) around.subject = subject_of(store, seen.message);
        if (options.json) {
            text += (count == 0 ? "\n" : ",\n") + json(seen, around);
        } else if (everything) {
            around.bounce_text =
                send::parse_bounce_text(store.read_bounce(seen.id(), bounce_text_shown).value_or(""))
                    .paragraphs;
            text += (count == 0 ? "" : "\n") + details(seen, around);
            if (options.message && !seen.damaged) {
                say(std::exchange(text, "") + "\n");
                print_message(store, seen.message, ::isatty(STDOUT_FILENO) != 0);
            }
        } else {
            text += (count == 0 ? table_head() : "") + table_rows(seen, around);
        }
        if (text.size() >= io_buffer_size) {
            say(text);
            text.clear();
        }
        return ++count < options.limit;
    });
    say(text + (options.json ? (count == 0 ? "]\n" : "\n]\n") : ""));
    if (count == 0 && !options.json)
        log_line(options.filter.empty() ? "the queue is empty" : "no message matches");
    return count > 0 || (options.filter.empty() && !everything) ? 0 : 1;
}

int change_messages(const control::Home& home, const ListOptions& options, ControlVerb verb,
                    const std::string& word, std::string_view done) {
    if (options.filter.empty() && !options.all) throw_permanent(word + " needs an id, a filter or --all");
    Changer changer(home);
    std::vector<MessageId> ids;
    std::string lines;
    select(home, options.filter, [&](const SeenMessage& seen) {
        ids.push_back(seen.id());
        if (ids.size() <= named_at_most) lines += summary(seen, now_seconds());
        return ids.size() < options.limit;
    });
    int code = 0;
    for (const MessageId id : options.filter.ids) {
        if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
        log_line(std::to_string(id) + ": there is no such message, or the filter does not take it");
        code = 1;
    }
    if (ids.empty()) {
        if (code == 0) log_line("no message matches");
        return 1;
    }
    const bool destroys = verb == ControlVerb::remove || verb == ControlVerb::bounce;
    if (destroys && !options.yes && !confirmed(word, ids.size(), lines)) {
        log_line("nothing was done");
        return 1;
    }
    for (const MessageId id : ids) {
        const auto answer = changer.change(verb, id);
        if (answer.ok) {
            say(std::to_string(id) + ": " + std::string(done) +
                (answer.text.empty() ? "" : " " + answer.text) + "\n");
        } else {
            log_line(std::to_string(id) + ": not " + std::string(done) + ": " + printable(answer.text));
            code = 1;
        }
    }
    return code;
}

int cut_deliveries(const control::Home& home, const std::vector<std::string>& numbers) {
    auto client = connect_to_qmail_send(home);
    if (!client) throw Error(Reaction::temporary, "qmail-send does not run: nothing is under way");
    if (numbers.empty()) {
        const auto answer = client->ask({ControlVerb::running, 0}, Deadline::in(Seconds(5)));
        for (const std::string_view line : split(trim(answer.text), '\n'))
            if (!line.empty()) say(printable(line) + "\n");
        if (answer.ok && answer.text.empty()) log_line("nothing is under way");
        return 0;
    }
    int code = 0;
    for (const std::string& text : numbers) {
        const auto number = parse_number(text);
        if (!number) throw_permanent("this is no number of a delivery: " + text);
        const auto answer = client->ask({ControlVerb::cut, *number}, Deadline::in(Seconds(5)));
        if (!answer.ok) {
            log_line(text + ": not cut: " + printable(answer.text));
            code = 1;
            continue;
        }
        for (const std::string_view line : split(trim(answer.text), '\n')) tell_end(*client, line);
    }
    return code;
}

int damaged_messages(const control::Home& home, const ListOptions& options) {
    const bool changes = options.resubmit || options.remove;
    if (changes && options.filter.ids.empty() && !options.all) throw_permanent("name the ids, or --all");
    std::vector<DamagedFile> files;
    int code = 0;
    for (const MessageId id : options.filter.ids.empty() ? damaged_ids(home) : options.filter.ids) {
        auto file = examine_damaged(home, id);
        if (file) {
            files.push_back(*std::move(file));
        } else {
            log_line(std::to_string(id) + ": there is no such damaged message");
            code = 1;
        }
    }
    if (!changes) {
        list_damaged(options, files);
        return code;
    }
    if (options.remove && !options.yes && !confirmed("delete", files.size(), "")) {
        log_line("nothing was done");
        return 1;
    }
    for (const DamagedFile& file : files)
        if (!change_damaged(home, file, options.resubmit)) code = 1;
    return code;
}

}  // namespace relais::queue
