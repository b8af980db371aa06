// One evaluation of check_host (RFC 7208, 4): what is inside of authres/spf.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "authres/spf.h"

namespace relais::authres {

class SpfEvaluation {
  public:
    // ip in canonical form, sender with a local part. Borrows all until it is gone.
    SpfEvaluation(Dns& dns, const SpfQuestion& question, Deadline deadline);

    struct Verdict {
        SpfResult result;
        std::string reason;
    };
    // check_host for the domain; an explanation stays behind for a fail of the outermost record, or of the
    // one it redirects to.
    Verdict check(const std::string& domain, bool included);
    std::string take_explanation() { return std::move(explanation_); }
    unsigned lookups() const { return lookups_; }

  private:
    enum class Match { yes, no, temperror, permerror };

    Verdict evaluate(const SpfRecord& record, const std::string& domain, bool included);
    Match match(const SpfDirective& directive, const std::string& domain);
    Match match_include(const std::string& target);
    Match match_addresses(const SpfDirective& directive, const std::string& target);
    Match match_mx(const SpfDirective& directive, const std::string& target);
    Match match_ptr(const std::string& target);
    Match match_exists(const std::string& target);
    Match stop(Match match, std::string why);

    bool count_term();
    // False when there were too many answers without a record.
    bool count_void(net::DnsStatus status);
    net::DnsAnswer ask(net::RecordType type, const std::string& name) {
        return dns_.ask(type, name, deadline_);
    }
    net::RecordType address_type() const;
    bool is_client(const net::DnsAnswer& answer, const SpfDirective& directive) const;
    const std::vector<std::string>& validated_names();
    void explain(const MacroString& where, const std::string& domain);
    std::string expand_domain(const MacroString& text, const std::string& domain);
    std::string macro_value(char letter, const std::string& domain);
    std::string validated_name(const std::string& domain);
    std::string reversed_address() const;

    Dns& dns_;
    const SpfQuestion& question_;
    Deadline deadline_;
    std::string octets_;  // the client's address
    std::string local_;
    std::string sender_domain_;
    unsigned lookups_ = 0;
    unsigned void_lookups_ = 0;
    std::string why_;  // of the last temperror or permerror
    std::string explanation_;
    std::optional<std::vector<std::string>> validated_;
    net::DnsStatus ptr_status_ = net::DnsStatus::found;
};

}  // namespace relais::authres
