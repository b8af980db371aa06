#include "local/delivery.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/classic_errno.h"
#include "base/error.h"
#include "base/time.h"
#include "local/aliases.h"
#include "local/dot_qmail.h"
#include "local/forwarded_envelope.h"
#include "local/maildir.h"
#include "local/mbox.h"
#include "local/program_delivery.h"
#include "local/variables.h"
#include "mail/null_sender.h"
#include "queue/client.h"
#include "send/rewrite.h"

namespace relais::local {
namespace {

constexpr mode_t written_by_others = 0002;
constexpr Seconds forward_patience{24 * 60 * 60};

[[noreturn]] void defer(const std::string& text, int error_number = 0) {
    throw Error(Reaction::temporary, text, error_number);
}

class Delivery {
  public:
    // instance and message are null for a description.
    Delivery(const Order& order, Output& out, const control::Home* instance, const Message* message,
             DotQmail* found)
        : order_(order), out_(out), instance_(instance), message_(message), found_(found) {}
    Delivery(const Order& order, Output& out, const Message* message, PlanMemory* memory)
        : order_(order), out_(out), message_(message), memory_(memory) {}

    Exit run() {
        if (order_.bounces_to) return pass_bounce_on();
        prepare();
        const Exit end = carry_out();
        if (end != Exit::success) return end;
        forward();
        say_counts();
        return Exit::success;
    }

    std::optional<MaildirPlan> plan() {
        prepare();
        const auto instructions = parse_dot_qmail(dot_qmail_.text);
        if (instructions.size() != 1 || instructions[0].kind != Instruction::Kind::maildir ||
            dot_qmail_.forward_only)
            return std::nullopt;
        std::string directory(instructions[0].text);
        if (!directory.starts_with('/')) directory.insert(0, order_.user.home + "/");
        return MaildirPlan{std::move(directory), return_path_ + delivered_to_};
    }

  private:
    void prepare() {
        if (memory_ == nullptr || memory_->home != order_.user.home) {
            if (memory_ != nullptr) *memory_ = {};
            enter_home();
            if (memory_ != nullptr) memory_->home = order_.user.home;
        }
        make_lines();
        if (message_ != nullptr && message_->header_has(delivered_to_))
            throw_permanent("This message is looping: it already has my Delivered-To line. (#5.4.6)");
        const User& user = order_.user;
        if (memory_ != nullptr && memory_->instructions && memory_->dash == user.dash &&
            memory_->extension == user.extension) {
            dot_qmail_ = *memory_->instructions;
            return;
        }
        find_instructions();
        if (memory_ == nullptr) return;
        memory_->dash = user.dash;
        memory_->extension = user.extension;
        memory_->instructions = dot_qmail_;
    }
    void enter_home() const;
    void make_lines();
    const std::string& from();
    void find_instructions();
    void find_new_sender();
    Exit pass_bounce_on();
    bool stays_here() const;
    void export_variables();
    Exit carry_out();
    Exit carry_out_one(const Instruction& instruction);
    Exit run_program(const Instruction& instruction);
    void forward();
    void say_counts();
    void show(std::string_view kind, std::string_view text) {
        out_.say(std::string(kind).append(text).append("\n"));
    }

    const Order& order_;
    Output& out_;
    const control::Home* instance_ = nullptr;
    const Message* message_;
    DotQmail* found_ = nullptr;
    PlanMemory* memory_ = nullptr;
    std::string delivered_to_;
    std::string return_path_;
    std::string from_;
    std::string new_sender_;
    DotQmail dot_qmail_;
    bool exported_ = false;
    bool stopped_ = false;  // a program said 99
    std::vector<std::string> forwards_;
    std::uint64_t files_ = 0;
    std::uint64_t forwarded_ = 0;
    std::uint64_t programs_ = 0;
    std::uint64_t qp_ = 0;
};

void Delivery::enter_home() const {
    const std::string& home = order_.user.home;
    if (::chdir(home.c_str()) != 0)
        defer("Unable to switch to " + home + ": " + classic_errno_text(errno) + ". (#4.3.0)", errno);
    struct stat status {};
    if (::stat(".", &status) != 0)
        defer("Unable to stat home directory: " + classic_errno_text(errno) + ". (#4.3.0)", errno);
    if ((status.st_mode & written_by_others) != 0) defer("Uh-oh: home directory is writable. (#4.7.0)");
    if ((status.st_mode & S_ISVTX) == 0) return;
    if (message_ != nullptr) defer("Home directory is sticky: user is editing his .qmail file. (#4.2.1)");
    out_.complain("Warning: home directory is sticky.");
}

void Delivery::make_lines() {
    delivered_to_ = delivered_to_line(order_.local + "@" + order_.domain);
    return_path_ = return_path_line(order_.sender);
}

const std::string& Delivery::from() {
    if (from_.empty()) from_ = from_line(order_.sender, now_seconds());
    return from_;
}

void Delivery::find_instructions() {
    const User& user = order_.user;
    auto found = find_dot_qmail(user.dash, user.extension);
    // A file for all that have none of their own does not hide an alias.
    if (order_.instance != nullptr && (!found || found->default_part))
        if (std::string text = alias_instructions(*order_.instance, user); !text.empty())
            found =
                DotQmail{order_.instance->path("users/aliases.cdb"), std::move(text), false, std::nullopt};
    if (!found && !user.dash.empty()) throw_permanent("Sorry, no mailbox here by that name. (#5.1.1)");
    if (found) dot_qmail_ = *std::move(found);
    if (dot_qmail_.text.empty()) {
        dot_qmail_.text = order_.default_delivery;
        dot_qmail_.forward_only = false;
    }
    if (found_ != nullptr) *found_ = dot_qmail_;
}

// Errors about forwarded mail go to the -owner of the address if it has one.
void Delivery::find_new_sender() {
    const User& user = order_.user;
    new_sender_ = order_.sender;
    if (mail::is_null_sender(order_.sender)) return;
    if (!has_dot_qmail(user.dash, user.extension, "-owner")) {
        if (!order_.srs_sender.empty()) new_sender_ = order_.srs_sender;
        return;
    }
    if (has_dot_qmail(user.dash, user.extension, "-owner-default"))
        new_sender_ = order_.local + "-owner-@" + order_.domain + "-@[]";
    else
        new_sender_ = order_.local + "-owner@" + order_.domain;
}

// Only programs see the environment, and a Maildir needs nothing of it: it is made for the first program.
void Delivery::export_variables() {
    if (exported_) return;
    exported_ = true;
    find_new_sender();
    Names names;
    names.user = order_.user.name;
    names.home = order_.user.home;
    names.local = order_.local;
    names.domain = order_.domain;
    names.extension = order_.user.extension;
    names.sender = order_.sender;
    names.new_sender = new_sender_;
    names.delivered_to = delivered_to_;
    names.return_path = return_path_;
    names.from = from();
    if (dot_qmail_.default_part) names.default_part = *dot_qmail_.default_part;
    ::unsetenv("DEFAULT");
    for (const auto& [name, value] : delivery_variables(names)) ::setenv(name.c_str(), value.c_str(), 1);
}

Exit Delivery::carry_out() {
    for (const Instruction& instruction : parse_dot_qmail(dot_qmail_.text)) {
        const Exit end = carry_out_one(instruction);
        if (end != Exit::success || stopped_) return end;
    }
    return Exit::success;
}

Exit Delivery::carry_out_one(const Instruction& instruction) {
    using Kind = Instruction::Kind;
    const bool for_real = message_ != nullptr;
    switch (instruction.kind) {
        case Kind::blank:
            defer("Uh-oh: first line of .qmail file is blank. (#4.2.1)");
        case Kind::forward_only:
            dot_qmail_.forward_only = true;
            return Exit::success;
        case Kind::forward:
            ++forwarded_;
            if (!for_real) show("forward ", instruction.text);
            forwards_.emplace_back(instruction.text);
            return Exit::success;
        case Kind::program:
            return run_program(instruction);
        case Kind::maildir:
        case Kind::mbox:
            break;
    }
    ++files_;
    if (dot_qmail_.forward_only) defer("Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)");
    const std::string path(instruction.text);
    const bool maildir = instruction.kind == Kind::maildir;
    if (!for_real)
        show(maildir ? "maildir " : "mbox ", path);
    else if (maildir)
        deliver_to_maildir(path, return_path_ + delivered_to_, *message_);
    else
        deliver_to_mbox(path, from(), return_path_ + delivered_to_, *message_);
    return Exit::success;
}

Exit Delivery::run_program(const Instruction& instruction) {
    ++programs_;
    if (dot_qmail_.forward_only) defer("Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)");
    if (message_ == nullptr) {
        show("program ", instruction.text);
        return Exit::success;
    }
    export_variables();
    const ProgramResources resources = ProgramResources::read(*instance_, order_.own_uid);
    switch (run_program_delivery(std::string(instruction.text), *message_, out_, order_.program_limit,
                                 resources)) {
        case ProgramEnd::done:
            return Exit::success;
        case ProgramEnd::done_and_stop:
            stopped_ = true;
            return Exit::success;
        case ProgramEnd::permanent:
            return Exit::permanent;
        case ProgramEnd::temporary:
            break;
    }
    return Exit::temporary;
}

// Whether no forward leaves for another server, which would ask for SPF.
bool Delivery::stays_here() const {
    try {
        const auto rules = send::RewriteRules::read(*instance_);
        return std::all_of(forwards_.begin(), forwards_.end(), [&](const std::string& recipient) {
            return send::rewrite(rules, recipient).is_local();
        });
    } catch (const Error&) {
        return false;
    }
}

void Delivery::forward() {
    if (forwards_.empty() || message_ == nullptr) return;
    // A $QMAILQUEUE program is one that sees the environment.
    export_variables();
    const bool is_rewritten = !order_.srs_sender.empty() && new_sender_ == order_.srs_sender;
    if (is_rewritten && stays_here()) new_sender_ = order_.sender;
    queue::Submission submission(*instance_, queue::Door::submit, Deadline::in(forward_patience));
    submission.begin(forwarded_envelope(is_rewritten ? new_sender_ : order_.sender, new_sender_,
                                        order_.extension, forwards_));
    submission.write(delivered_to_);
    message_->each_piece([&](std::string_view piece) { submission.write(piece); });
    const queue::SubmitAnswer answer = submission.finish(new_sender_, forwards_);
    qp_ = submission.qp();
    if (answer.code == queue::SubmitCode::accepted) return;
    throw Error(queue::is_permanent(answer.code, answer.text) ? Reaction::permanent : Reaction::temporary,
                "Unable to forward message: " + queue::submit_text(answer.code, answer.text) + ".");
}

// A bounce to a rewritten sender goes to the one behind it, and nothing else does.
Exit Delivery::pass_bounce_on() {
    make_lines();
    if (message_->header_has(delivered_to_))
        throw_permanent("This message is looping: it already has my Delivered-To line. (#5.4.6)");
    if (!mail::is_null_sender(order_.sender))
        throw_permanent("Sorry, this address takes bounces alone. (#5.7.1)");
    if (order_.bounces_to->empty())
        throw_permanent("Sorry, this rewritten sender is none of mine, or too old. (#5.1.1)");
    forwards_ = {*order_.bounces_to};
    forwarded_ = 1;
    forward();
    say_counts();
    return Exit::success;
}

void Delivery::say_counts() {
    out_.say("did " + std::to_string(files_) + "+" + std::to_string(forwarded_) + "+" +
             std::to_string(programs_) + "\n");
    if (qp_ != 0) out_.say("qp " + std::to_string(qp_) + "\n");
}

Exit run(const Order& order, Output& out, const control::Home* instance, const Message* message,
         DotQmail* found) {
    ::umask(077);
    try {
        return Delivery(order, out, instance, message, found).run();
    } catch (const Error& error) {
        out.complain(error.what());
        return error.reaction() == Reaction::permanent ? Exit::permanent : Exit::temporary;
    } catch (const std::exception& error) {
        out.complain(std::string("Temporary failure in qmail-local: ") + error.what() + ". (#4.3.0)");
        return Exit::temporary;
    }
}

}  // namespace

Exit deliver(const control::Home& instance, const Order& order, const Message& message, Output& out) {
    return run(order, out, &instance, &message, nullptr);
}

std::optional<MaildirPlan> plan_maildir(const Order& order, const Message& message, PlanMemory& memory) {
    ::umask(077);
    Output nothing_said(1);
    return Delivery(order, nothing_said, &message, &memory).plan();
}

Exit describe(const Order& order, Output& out, DotQmail* found) {
    return run(order, out, nullptr, nullptr, found);
}

}  // namespace relais::local
