// One delivery: what qmail-local does, as a function, so that qmail-lspawn need not execute a program for it.
// It runs as the recipient, in a process of its own: it changes the working directory, the umask and the
// environment.
#pragma once

#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/program.h"
#include "control/home.h"
#include "local/dot_qmail.h"
#include "local/message.h"
#include "local/output.h"
#include "local/user.h"

namespace relais::local {

struct Order {
    User user;
    std::string local;   // the recipient, before and
    std::string domain;  // behind its last '@'
    std::string sender;
    std::string
        default_delivery;  // instructions for an empty .qmail, or for a missing one of the user himself
    std::optional<Seconds> program_limit;
    bool own_uid = false;                     // no other user has it
    const control::Home* instance = nullptr;  // whose aliases count; null for none
    std::string extension{};                  // what DSN asks for the recipient (mail/envelope.h)
    // What is forwarded goes on under it (local/srs.h); "": under the sender that it came with.
    std::string srs_sender{};
    // The recipient is a rewritten sender: the address behind it, "" where it is not genuine. No .qmail file
    // counts for it.
    std::optional<std::string> bounces_to{};
};

// Finds the instructions for the recipient and carries them out. Returns success, permanent (bounce) or
// temporary (try again); out gets the text that says why, or "did F+f+P". Throws nothing.
Exit deliver(const control::Home& instance, const Order& order, const Message& message, Output& out);

// What there is to do for a message that goes into one Maildir and nowhere else.
struct MaildirPlan {
    std::string directory;  // absolute, with a slash at its end
    std::string head;       // the lines before the message
};

// What plan_maildir has found for a user: holds for what comes at the same time, no longer.
struct PlanMemory {
    std::string home;  // the working directory, and looked at
    std::string dash, extension;
    std::optional<DotQmail> instructions;  // for these two
};

// For a process that delivers many messages of one user's: finds the instructions as deliver does. Nothing if
// they ask for anything else than one Maildir: then deliver is to carry them out, in a process of its own.
// Throws an Error whose text is the report.
std::optional<MaildirPlan> plan_maildir(const Order& order, const Message& message, PlanMemory& memory);

// Says in out what deliver would do: one line for each instruction, then the counts. found, if not null, gets
// the .qmail file that would be used; its path stays empty if there is none, its text is what counts.
Exit describe(const Order& order, Output& out, DotQmail* found = nullptr);

}  // namespace relais::local
