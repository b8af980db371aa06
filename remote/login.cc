#include "remote/login.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "sasl/base64.h"
#include "sasl/client.h"

namespace relais::remote {
namespace {

using sasl::Mechanism;

// What an old server takes on one line; a longer first answer waits until it is asked for.
constexpr std::size_t command_limit = 500;
// No mechanism asks more often.
constexpr int challenge_limit = 10;

// With so many mechanisms may a password be refused on one connection.
constexpr int refusal_limit = 2;

enum class Outcome {
    done,
    next,     // this mechanism is refused; another may do
    refused,  // so is what it said of the password
    failed,   // no use in trying further now
};

// RFC 4954, 4 and 6, RFC 5321, 4.2.4: it does not know or want the mechanism, or not so. Any other refusal is
// one of the login.
bool is_about_the_mechanism(int code) {
    constexpr std::array codes = {500, 501, 502, 503, 504, 530, 534, 538, 555};
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

constexpr std::string_view refused_login = "it refused our login";

class Dialogue {
  public:
    Dialogue(Wire& wire, const Credentials& credentials, const LoginTerms& terms)
        : wire_(wire), credentials_(credentials), terms_(terms) {}

    Outcome attempt(Mechanism mechanism, const sasl::ChannelBinding* binding);
    // What the server said last, without a trace of the password.
    Reply last_reply() const;
    const std::string& complaint() const { return complaint_; }

  private:
    void send(std::initializer_list<std::string_view> parts);
    void read() { reply_ = wire_.read_reply(deadline()); }
    Deadline deadline() const { return earlier(Deadline::in(terms_.timeout), terms_.end); }
    bool answer(sasl::Client& client, Mechanism mechanism);
    Outcome judge(const sasl::Client& client);
    Outcome cancel(Mechanism mechanism);

    Wire& wire_;
    const Credentials& credentials_;
    const LoginTerms& terms_;
    Reply reply_;
    std::optional<Secret> waiting_;  // the first answer, where it did not fit on the command's line
    std::vector<Secret> sent_;
    bool regrets_ = false;  // SCRAM's own way to say no (RFC 5802, 7: server-error)
    std::string complaint_;
};

void Dialogue::send(std::initializer_list<std::string_view> parts) {
    // An answer that was there before the question is none.
    if (wire_.has_unread()) throw_errno("understand", "the server, which answers unasked", EPROTO);
    wire_.write(Secret::joined(parts).view(), deadline());
}

Outcome Dialogue::attempt(Mechanism mechanism, const sasl::ChannelBinding* binding) {
    const auto client =
        sasl::make_client(mechanism, credentials_.user, credentials_.password.view(), binding);
    waiting_.reset();
    regrets_ = false;
    complaint_.clear();
    const auto first = client->begin();
    const std::string_view name = sasl::name_of(mechanism);
    if (!first) {
        send({"AUTH ", name, "\r\n"});
    } else {
        Secret encoded = sasl::encode_base64_secret(first->view());
        if (encoded.size() + name.size() < command_limit) {
            // RFC 4954, 4: an answer of no octets is said by "=".
            send({"AUTH ", name, " ", encoded.size() == 0 ? "=" : encoded.view(), "\r\n"});
            sent_.push_back(std::move(encoded));
        } else {
            send({"AUTH ", name, "\r\n"});
            waiting_ = std::move(encoded);
        }
    }
    read();
    for (int asked = 0; reply_.intermediate(); ++asked) {
        if (asked == challenge_limit || !answer(*client, mechanism)) return cancel(mechanism);
        read();
    }
    return judge(*client);
}

// False if the challenge is not one. LOGIN's are read by nobody, and some servers write them as they are.
bool Dialogue::answer(sasl::Client& client, Mechanism mechanism) {
    std::optional<Secret> encoded = std::move(waiting_);
    waiting_.reset();
    if (!encoded) {
        const std::string_view line = std::string_view(reply_.text).substr(0, reply_.text.find('\n'));
        auto challenge = sasl::decode_base64(trim(line.substr(std::min<std::size_t>(4, line.size()))));
        if (!challenge && mechanism == Mechanism::login) challenge.emplace();
        if (!challenge) return false;
        regrets_ = challenge->starts_with("e=");
        const auto response = client.respond(*challenge);
        if (!response) return false;
        encoded = sasl::encode_base64_secret(response->view());
    }
    send({encoded->view(), "\r\n"});
    sent_.push_back(std::move(*encoded));
    return true;
}

// It is told to stop: whatever it says then, nobody is logged in.
Outcome Dialogue::cancel(Mechanism mechanism) {
    complaint_ = "what it asked for the login makes no sense";
    send({"*\r\n"});
    read();
    if (reply_.code == 0 || reply_.code == 421) return Outcome::failed;
    if (regrets_) {
        complaint_ = refused_login;
        return Outcome::refused;
    }
    // In SCRAM it is the server that could not show who it is. It will not be asked in a weaker way.
    const bool impostor = mechanism == Mechanism::scram_sha_256 || mechanism == Mechanism::scram_sha_256_plus;
    return impostor ? Outcome::failed : Outcome::next;
}

Outcome Dialogue::judge(const sasl::Client& client) {
    if (reply_.positive()) {
        if (client.complete()) return Outcome::done;
        complaint_ = "it cannot prove that it knows our password";
        return Outcome::failed;
    }
    const bool for_good = reply_.permanent();
    complaint_ = for_good ? refused_login : "it cannot check our login now";
    if (!for_good) return Outcome::failed;
    return is_about_the_mechanism(reply_.code) ? Outcome::next : Outcome::refused;
}

Reply Dialogue::last_reply() const {
    const std::string said = lower(reply_.text);
    const auto repeats = [&said](std::string_view secret) {
        std::string wanted = lower(secret);
        const bool found = !wanted.empty() && said.find(wanted) != std::string::npos;
        wipe(wanted);
        return found;
    };
    bool repeated = repeats(credentials_.password.view()) ||
                    repeats(sasl::encode_base64_secret(credentials_.password.view()).view());
    for (const Secret& each : sent_) repeated = repeated || repeats(each.view());
    if (!repeated) return reply_;
    return {reply_.code, std::to_string(reply_.code) + " (what it said repeats the password)\n"};
}

std::optional<sasl::ChannelBinding> binding_of(const Wire& wire) {
    const tls::Connection* connection = wire.tls();
    if (connection == nullptr) return std::nullopt;
    if (std::string data = connection->exporter_binding(); !data.empty())
        return sasl::ChannelBinding{"tls-exporter", std::move(data)};
    if (std::string data = connection->end_point_binding(); !data.empty())
        return sasl::ChannelBinding{"tls-server-end-point", std::move(data)};
    return std::nullopt;
}

std::string listing(const std::vector<std::string>& offered) {
    std::string text;
    for (const std::string& name : offered) text.append(" ").append(name);
    if (text.size() > 200) text.replace(200, std::string::npos, " ...");
    return text;
}

LoginResult complain(std::string complaint) {
    LoginResult result;
    result.complaint = std::move(complaint);
    return result;
}

bool offers(const std::vector<std::string>& offered, Mechanism mechanism) {
    return std::any_of(offered.begin(), offered.end(), [mechanism](const std::string& name) {
        return equal_ignoring_case(name, sasl::name_of(mechanism));
    });
}

}  // namespace

std::vector<Mechanism> login_order(const std::vector<std::string>& offered, Channel channel,
                                   bool cleartext_password, bool can_bind) {
    std::vector<Mechanism> order = {Mechanism::scram_sha_256_plus, Mechanism::scram_sha_256};
    if (channel == Channel::verified)
        order.insert(order.end(), {Mechanism::plain, Mechanism::login, Mechanism::cram_md5});
    else
        order.insert(order.end(), {Mechanism::cram_md5, Mechanism::plain, Mechanism::login});
    std::erase_if(order, [&](Mechanism mechanism) {
        if (!offers(offered, mechanism)) return true;
        if (mechanism == Mechanism::scram_sha_256_plus) return !can_bind;
        return channel == Channel::clear && !cleartext_password && sasl::shows_the_secret(mechanism);
    });
    return order;
}

LoginResult log_in(Wire& wire, const Credentials& credentials, const std::vector<std::string>& offered,
                   const LoginTerms& terms) {
    LoginResult result;
    if (offered.empty()) return complain("it offers no AUTH");
    const auto binding = binding_of(wire);
    auto order = login_order(offered, terms.channel, terms.cleartext_password, binding.has_value());
    if (order.empty())
        return complain("of what it offers for AUTH nothing may be used here:" + listing(offered));
    if (terms.first)
        std::stable_partition(order.begin(), order.end(),
                              [&](Mechanism each) { return each == *terms.first; });
    Dialogue dialogue(wire, credentials, terms);
    int refusals = 0;
    for (const Mechanism mechanism : order) {
        // Without the binding it would be the same question again.
        if (mechanism == Mechanism::scram_sha_256 && refusals > 0) continue;
        // A server that offers -PLUS and is asked for less would take a client that could have more for a
        // victim.
        const bool bind =
            mechanism == Mechanism::scram_sha_256_plus || !offers(offered, Mechanism::scram_sha_256_plus);
        Outcome outcome = Outcome::failed;
        try {
            outcome = dialogue.attempt(mechanism, bind && binding ? &*binding : nullptr);
        } catch (const Error&) {
            // It has hung up on a login that it had refused before.
            if (refusals == 0) throw;
            return result;
        }
        if (outcome == Outcome::done) return {true, mechanism, refusals > 0, false, {}, {}};
        // What it says of the password is what people must know, whatever it says of other mechanisms.
        if (refusals == 0 || outcome == Outcome::refused)
            result = {false,
                      mechanism,
                      false,
                      outcome != Outcome::failed,
                      dialogue.complaint(),
                      dialogue.last_reply()};
        if (outcome == Outcome::refused && ++refusals == refusal_limit) break;
        if (outcome == Outcome::failed) break;
    }
    return result;
}

}  // namespace relais::remote
