#include "smtpd/listener.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/process_title.h"
#include "control/cages.h"
#include "keyd/server_tls.h"
#include "listen/acceptor.h"
#include "listen/certificate_watch.h"
#include "listen/keeper.h"
#include "listen/places.h"
#include "metrics/count.h"
#include "opensmtp/entry.h"
#include "smtpd/kept_offers.h"
#include "smtpd/log.h"
#include "smtpd/serve.h"
#include "tcprules/rules.h"
#include "tls/openssl.h"

namespace relais::smtpd {
namespace {

constexpr std::string_view program = "qmail-smtpd";
constexpr std::string_view filter_variable = "QMAILQUEUE";

// A value of smtp.refused.
std::string_view cause_of(listen::Refusal why) {
    switch (why) {
        case listen::Refusal::too_many:
            return "places";
        case listen::Refusal::too_many_from_address:
            return "perip";
        case listen::Refusal::denied:
            return "rule";
        case listen::Refusal::silent:
            return "timeout";
        case listen::Refusal::not_a_proxy:
        case listen::Refusal::not_introduced:
            return "proxy";
        case listen::Refusal::our_trouble:
            break;
    }
    return "trouble";
}

std::string_view reply_to(listen::Refusal why) {
    switch (why) {
        case listen::Refusal::too_many:
            return "421 too many connections, try again later (#4.3.2)";
        case listen::Refusal::too_many_from_address:
            return "421 too many connections from your address (#4.7.0)";
        case listen::Refusal::denied:
        case listen::Refusal::not_a_proxy:
            return denied;
        case listen::Refusal::silent:
            return "421 timeout (#4.4.2)";
        case listen::Refusal::not_introduced:
            return "closing";
        case listen::Refusal::our_trouble:
            break;
    }
    return our_trouble;
}

// The last one of that name, or what the environment has; of the connection it knows nothing.
std::optional<std::string> look_up(const listen::Variables& variables, const std::string& name) {
    const auto found = std::find_if(variables.rbegin(), variables.rend(),
                                    [&](const auto& variable) { return variable.first == name; });
    if (found != variables.rend()) return found->second;
    const char* value = name.starts_with("TCP") ? nullptr : std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// One octet: what logins are offered, and how sure that is.
std::string encode(const KnownOffers& known) {
    unsigned bits = known.sure ? 1 : 0;
    if (const auto& offers = known.offers)
        bits |= 2U | (offers->password ? 4U : 0) | (offers->cram ? 8U : 0) | (offers->scram ? 16U : 0) |
                (offers->bearer ? 32U : 0);
    return {static_cast<char>('@' + bits)};
}

KnownOffers decode_offers(std::string_view note) {
    const unsigned bits = note.empty() ? 0 : static_cast<unsigned char>(note[0]) - unsigned{'@'};
    KnownOffers known;
    known.sure = (bits & 1) != 0;
    if ((bits & 2) != 0)
        known.offers = {(bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
    return known;
}

class Listener : public listen::Service {
  public:
    Listener(const control::Home& home, const listen::Options& options)
        : home_(home),
          rules_(options.rules),
          tls_first_(options.tls),
          tls_(home),
          refusals_(trace_client(home)) {}

    std::string_view name() const override { return program; }
    std::string_view program_variable() const override { return filter_variable; }
    std::vector<std::string> directories() const override {
        return {home_.path("control"), home_.path("users")};
    }

    void watch(EventLoop& loop, std::function<void()> changed) override {
        offers_.emplace(loop, home_);
        certificates_.emplace(loop, home_, tls_, std::move(changed));
    }

    void reload() override {
        settings_ = std::make_unique<WatchedSettings>(home_);
        policy_ = std::make_unique<policy::Policy>(home_);
    }

    bool refresh() override {
        offers_->look();
        const std::uint64_t before = settings_->version() + policy_->version();
        keep_trace_ = settings_->get().keep_trace;
        log_as_json(settings_->get().log_json);
        show_addresses_in_titles(!settings_->get().hide_addresses);
        policy_->refresh();
        return settings_->version() + policy_->version() != before;
    }

    void confine(const std::vector<std::string>& rules) override {
        std::vector<std::string> places = policy::Policy::readable_places(home_);
        places.insert(places.end(), rules.begin(), rules.end());
        opensmtp::Moment::now();  // the boot id is not to be had later
        control::enter(control::smtpd_cage, home_, places);
    }

    bool is_proxy(const std::string& ip) const override {
        return settings_->last().proxies.match(ip).has_value();
    }

    std::string local_name() const override { return settings_->last().me; }
    std::string greeting() const override { return settings_->last().opening(); }
    // Not for those who may relay: a webmail, or a network of our own, is many clients.
    Limit limit_of_one(const listen::Variables& rule, std::size_t places) const override {
        if (const auto own = look_up(rule, "PERIP"))
            return {listen::share_of_one(*own, places), std::string(listen::rule_limit)};
        if (look_up(rule, "RELAYCLIENT")) return {};
        return {listen::share_of_one(settings_->last().per_ip, places), "control/perip"};
    }
    std::chrono::milliseconds patience(bool in_a_crowd) const override {
        const auto patience = settings_->last().patience(in_a_crowd);
        return tls_first_ ? std::min(patience, handshake_limit) : patience;
    }
    std::chrono::milliseconds greeting_delay(const listen::Variables& rule) const override {
        if (settings_->last().greet_delay.count() == 0 && !look_up(rule, "GREETDELAY")) return {};
        return settings_->last().wait_before_greeting(
            policy::Client::from([&](const std::string& name) { return look_up(rule, name); }));
    }
    listen::Reuse reuse() const override { return settings_->last().reuse; }
    std::string note() const override { return encode(offers_->known()); }

    // Nothing is said in clear to a client that is about to speak TLS for too long.
    std::string refuse(const net::Endpoint& peer, listen::Refusal why, std::string_view detail) override {
        metrics::count("smtp.refused", cause_of(why));
        const bool handshake = tls_first_ && why == listen::Refusal::silent;
        const std::string_view reply = handshake ? "TLS handshake timed out" : reply_to(why);
        tell(refuse_event({peer.ip, std::nullopt}, cause_of(why), std::nullopt, std::nullopt, reply, detail),
             keep_trace_ ? refusals_.get() : nullptr);
        // Nobody would hear it as an answer to what was said.
        return handshake || why == listen::Refusal::not_introduced ? "" : std::string(reply);
    }

    bool serve(int connection, const listen::Variables& variables, const listen::Visitor& visitor,
               int filters) override {
        auto client = policy::Client::from([&](const std::string& name) { return look_up(variables, name); });
        if (visitor.nameless) client.relayclient.reset();
        const KnownOffers known = decode_offers(visitor.note);
        policy_->begin_client();
        const auto meet = [&](const Session::Acquaintance& whom) { return this->meet(whom, variables); };
        if (!trace_ && settings_->last().keep_trace) trace_ = trace_client(home_);
        return smtpd::serve({home_, settings_->last(), *policy_, tls_, known, meet, filters, trace_.get()},
                            connection, connection, client, visitor.beginning, visitor.in_a_crowd) &&
               !visitor.last;
    }

  private:
    // Under the rule for its address. front_end: variables of the connection that is spoken over.
    std::optional<policy::Client> meet(const Session::Acquaintance& whom,
                                       const listen::Variables& front_end) const {
        listen::Variables variables = {{"TCPLOCALHOST", local_name()}};
        if (whom.local_ip) variables.emplace_back("TCPLOCALIP", *whom.local_ip);
        if (whom.ip) variables.emplace_back("TCPREMOTEIP", *whom.ip);
        if (whom.host) variables.emplace_back("TCPREMOTEHOST", *whom.host);
        if (whom.ip && rules_) {
            const auto rule = tcprules::RulesFile(*rules_).look_up({*whom.ip, std::nullopt, std::nullopt});
            if (!rule.allow) return std::nullopt;
            variables.insert(variables.end(), rule.variables.begin(), rule.variables.end());
        }
        const std::string filter(filter_variable);
        if (look_up(variables, filter) != look_up(front_end, filter))
            throw_permanent(
                "the rule for " + whom.ip.value_or("unknown") +
                " names another filter (QMAILQUEUE) than that of the front end: give both the same");
        auto client = policy::Client::from([&](const std::string& name) { return look_up(variables, name); });
        if (!whom.ip) client.relayclient.reset();
        return client;
    }

    control::Home home_;
    const std::optional<std::string> rules_;
    const bool tls_first_;
    keyd::ServerTls tls_;
    std::unique_ptr<WatchedSettings> settings_;
    std::unique_ptr<policy::Policy> policy_;
    std::optional<KeptOffers> offers_;
    bool keep_trace_ = false;                  // by the settings that could be read last
    std::unique_ptr<trace::Client> refusals_;  // of the acceptor
    std::unique_ptr<trace::Client> trace_;     // of a session process
    std::optional<listen::CertificateWatch> certificates_;
};

void check_readable(const control::Home& home, const listen::Options& options) {
    Settings::read(home);
    policy::Policy(home).refresh();
    if (options.rules) tcprules::RulesFile rules(*options.rules);
}

}  // namespace

int run_listener(const control::Home& home, const listen::Options& options, const Arguments& arguments) {
    if (options.sockets.empty())
        return listen::run_keeper(program, filter_variable, home, options, arguments,
                                  [&] { check_readable(home, options); });
    metrics::open_page(home, control::Role::qmaild);
    tls::overwrite_freed_memory();
    Listener listener(home, options);
    return listen::run_acceptor(listener, options);
}

}  // namespace relais::smtpd
