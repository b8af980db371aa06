// The one ordered chain of checks that decides whose mail may pass (chain.cc lists them), run by the session
// and by relay-explain alike.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/check.h"

namespace relais::policy {

// All checks, in the order in which they are asked.
std::span<const Check> checks();

// The reply to a path that is none, or too long.
inline constexpr std::string_view syntax_error = "555 syntax error (#5.5.4)";

struct Verdict {
    Answer answer = Answer::pass;
    Cause cause = Cause::none;
    std::string_view check{};            // the name of the one that decided; "" if all let it pass
    std::string reply{};                 // "" if it passes
    std::string why{};                   // what the log says beside the reply
    std::string suspicion{};             // what the log says of what passes all the same
    std::string entry{};                 // the line of the check's control file that says so
    std::vector<std::string> fields{};   // for the top of the message, each with its LF
    std::vector<std::string> notices{};  // for the log, of the instance and not of this client
    std::string held_login{};            // is held from now on: the postmaster is to be told
    std::string recipient{};             // as the queue shall have it
    Decision decision{};                 // empty if that was not asked any more

    bool passes() const { return reply.empty(); }
};

class Chain {
  public:
    // Borrows all of them. dns: may be missing.
    Chain(Policy& policy, const Settings& settings, const Client& client, authres::Dns* dns = nullptr)
        : facts_(policy, settings, client, dns) {}
    void set_dns(authres::Dns& dns) { facts_.dns = &dns; }
    bool has_dns() const { return facts_.dns != nullptr; }

    // Nothing is counted: the same questions as a session's, of one that only wants to know.
    void rehearse() { facts_.rehearsal = true; }
    // It spoke before the greeting.
    void heard_early() { facts_.early_talker = true; }
    // What the client has said. A name is forgotten with what was said before TLS.
    void heard_helo(std::optional<std::string_view> name);
    void heard_mail(std::string_view sender);
    // Whether one recipient of the transaction passes. recipient: a path's address, not empty. Throws Error
    // when a control file cannot be read.
    Verdict judge(std::string_view recipient);
    // True for a client that may send to our own domains alone. Throws Error.
    bool is_stranger() { return facts_.is_stranger(); }
    // Whether the message passes, after its end. Throws Error.
    Verdict judge_message();

    // What is verified of the transaction's message; null if nothing is.
    IncomingChecks* verification() const { return facts_.verification.get(); }
    // What is collected of it for lists; null if nothing is.
    MessageSubjects* subjects() const { return facts_.subjects.get(); }

  private:
    Verdict run(Stage first, Stage last);
    bool wants_subjects();
    // What the mode of control/checks makes of a finding: true if the next check is asked.
    bool passes_in_mode(const control::KnownCheck& check, Result& result, Verdict& verdict) const;
    // What the check says, or has said of the transaction before.
    Result ask(const Check& check);

    Facts facts_;
    std::map<std::string_view, Result> remembered_{};  // of this transaction, by the check's name
    bool others_ = false;                              // a recipient has passed who is not spared
};

// A reply is one line, whatever a file or a content filter says.
std::string one_line(std::string_view text);

}  // namespace relais::policy
