#include "smtpd/listener.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/family_memory.h"
#include "keyd/server_tls.h"
#include "listen/acceptor.h"
#include "listen/certificate_watch.h"
#include "listen/keeper.h"
#include "smtpd/kept_offers.h"
#include "smtpd/log.h"
#include "smtpd/serve.h"
#include "tcprules/rules.h"
#include "tls/openssl.h"

namespace relais::smtpd {
namespace {

constexpr std::string_view program = "qmail-smtpd";

std::string_view reply_to(listen::Refusal why) {
    switch (why) {
        case listen::Refusal::too_many:
            return "421 too many connections, try again later (#4.3.2)";
        case listen::Refusal::too_many_from_address:
            return "421 too many connections from your address (#4.7.0)";
        case listen::Refusal::denied:
            return denied;
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

class Listener : public listen::Service {
  public:
    explicit Listener(const control::Home& home) : home_(home), tls_(home) {}

    std::string_view name() const override { return program; }
    std::string_view program_variable() const override { return "QMAILQUEUE"; }
    std::vector<std::string> directories() const override {
        return {home_.path("control"), home_.path("users")};
    }

    void watch(EventLoop& loop) override {
        offers_.emplace(loop, home_);
        certificates_.emplace(loop, home_, tls_);
    }

    void reload() override {
        settings_ = std::make_unique<WatchedSettings>(home_);
        policy_ = std::make_unique<Policy>(home_);
    }

    // What it reads lasts; who holds it is written to for each client.
    void refresh() override {
        offers_->look();
        const Lasting scope;
        settings_->get();
        policy_->refresh();
    }

    std::string local_name() const override { return settings_->last().me; }
    std::string greeting() const override { return settings_->last().opening(); }

    std::string refuse(const net::Endpoint& peer, listen::Refusal why) override {
        log_line(refuse_line({peer.ip, std::nullopt}, std::nullopt, std::nullopt, reply_to(why)));
        return std::string(reply_to(why));
    }

    void serve(const listen::Variables& variables, listen::Beginning beginning) override {
        FamilyMemory::begin_child();
        const auto client = Client::from([&](const std::string& name) { return look_up(variables, name); });
        smtpd::serve(home_, settings_->last(), *policy_, client, tls_, beginning, offers_->known());
    }

  private:
    control::Home home_;
    keyd::ServerTls tls_;
    std::unique_ptr<WatchedSettings> settings_;
    std::unique_ptr<Policy> policy_;
    std::optional<KeptOffers> offers_;
    std::optional<listen::CertificateWatch> certificates_;
};

void check_readable(const control::Home& home, const listen::Options& options) {
    Settings::read(home);
    Policy(home).refresh();
    if (options.rules) tcprules::RulesFile rules(*options.rules);
}

}  // namespace

int run_listener(const control::Home& home, const listen::Options& options, const Arguments& arguments) {
    if (options.sockets.empty())
        return listen::run_keeper(program, home, options, arguments, [&] { check_readable(home, options); });
    tls::use_family_memory();
    Listener listener(home);
    return listen::run_acceptor(listener, options);
}

}  // namespace relais::smtpd
