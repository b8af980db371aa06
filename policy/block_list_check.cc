// What lists in DNS say of the client's address, its HELO name and the sender's domain (control/dnsbllist).
#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "mail/address.h"
#include "net/reverse_name.h"
#include "policy/chain.h"
#include "policy/check.h"

namespace relais::policy {
namespace {

using control::BlockList;
using net::DnsAnswer;
using net::DnsStatus;
using net::RecordType;

// A list, and what it is asked: the first question is one that it must deny (RFC 5782, 5).
struct Inquiry {
    const BlockList* list;
    std::vector<std::string> subjects;  // what each further question is about
};

// A name that can be put in front of a list's, whatever a client said.
bool is_listable(std::string_view name) {
    return name.find('.') != std::string_view::npos && authres::is_domain_name(name) &&
           std::all_of(name.begin(), name.end(), [](char c) {
               const char l = lower(c);
               return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || c == '-' || c == '.';
           });
}

std::vector<std::string> domains_of(const Facts& facts) {
    std::vector<std::string> names;
    const std::string helo = lower(facts.helo.value_or(""));
    const std::string sender = lower(mail::split_address(facts.sender).domain);
    if (is_listable(helo) && net::reverse_name(helo).empty()) names.push_back(helo);
    if (is_listable(sender) && sender != helo) names.push_back(sender);
    return names;
}

class Lists {
  public:
    explicit Lists(Facts& facts) : facts_(facts), health_(facts.policy.list_health()), now_(now_seconds()) {}

    Result judge() {
        plan();
        if (inquiries_.empty()) return {};
        const auto answers = facts_.dns->ask_apart(questions_, facts_.dns_deadline);
        for (std::size_t i = 0; i < inquiries_.size(); ++i) hear(inquiries_[i], answers[i]);
        facts_.list_score = score_;
        return verdict();
    }

  private:
    void plan() {
        const std::vector<std::string> domains = domains_of(facts_);
        for (const BlockList& list : facts_.settings.block_lists.lists()) {
            if (health_.rests(list.zone, now_)) continue;
            Inquiry inquiry{&list, {}};
            std::vector<net::DnsQuestion> questions;
            const auto ask = [&](std::string name) { questions.push_back({RecordType::a, std::move(name)}); };
            ask((list.of_domains ? "invalid." : "1.0.0.127.") + list.zone);
            if (list.of_domains) {
                for (const std::string& domain : domains)
                    if (domain.size() + list.zone.size() < 253) {
                        inquiry.subjects.push_back(domain);
                        ask(domain + "." + list.zone);
                    }
            } else if (auto name = net::reversed_address(facts_.client.ip, list.zone); !name.empty()) {
                inquiry.subjects.push_back(facts_.client.ip);
                ask(std::move(name));
            }
            if (inquiry.subjects.empty()) continue;
            inquiries_.push_back(std::move(inquiry));
            questions_.push_back(std::move(questions));
        }
    }

    void hear(const Inquiry& inquiry, const std::vector<DnsAnswer>& answers) {
        const std::string& zone = inquiry.list->zone;
        for (const DnsAnswer& answer : answers)
            if (answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus) {
                if (health_.note_silence(zone, now_)) tell(zone, "does not answer");
                return;
            }
        if (answers.front().status == DnsStatus::found)
            return lies(zone, "lists " + std::string(inquiry.list->of_domains ? "invalid" : "127.0.0.1"));
        int heaviest = 0;
        std::string subject;
        for (std::size_t i = 1; i < answers.size(); ++i)
            for (const net::DnsRecord& record : answers[i].records) {
                const auto score = inquiry.list->score(record.text);
                if (!score) return lies(zone, "answers " + record.text);
                if (std::abs(*score) <= std::abs(heaviest)) continue;
                heaviest = *score;
                subject = inquiry.subjects[i - 1];
            }
        health_.note_answer(zone);
        if (heaviest != 0) count(zone, subject, heaviest);
    }

    void count(const std::string& zone, const std::string& subject, int score) {
        score_ += score;
        words_ += fmt::format("{}{} is listed by {} ({})", words_.empty() ? "" : ", ", subject, zone, score);
        if (score <= worst_) return;
        worst_ = score;
        reason_ = subject + " is listed by " + zone;
    }

    void lies(const std::string& zone, const std::string& what) {
        health_.note_lie(zone, now_);
        tell(zone, what);
    }
    void tell(const std::string& zone, const std::string& what) {
        facts_.notices.push_back(fmt::format("alert: the list {} {}: it is not asked for {} minutes", zone,
                                             what, ListHealth::rest / 60));
    }

    Result verdict() const {
        const control::BlockLists& lists = facts_.settings.block_lists;
        const std::string why = fmt::format("score {}: {}", score_, words_);
        if (score_ >= lists.refuse) return found("553 sorry, " + reason_ + " (#5.7.1)", why);
        if (score_ >= lists.defer) return found("450 sorry, " + reason_ + " (#4.7.1)", why);
        if (score_ < lists.tag) return {};
        Result result = found("", why);
        result.answer = Answer::tag;
        return result;
    }

    Facts& facts_;
    ListHealth& health_;
    std::int64_t now_;
    std::vector<Inquiry> inquiries_;
    std::vector<std::vector<net::DnsQuestion>> questions_;
    int score_ = 0;
    int worst_ = 0;
    std::string words_;
    std::string reason_;  // of the heaviest list
};

}  // namespace

Result check_dnsbl(Facts& facts) {
    // A rule knows the client better.
    if (facts.client.rblsmtpd) return {};
    return Lists(facts).judge();
}

// As rblsmtpd has it: a value that begins with a minus is final.
Result check_rblsmtpd(Facts& facts) {
    const std::string text = one_line(facts.client.rblsmtpd.value_or(""));
    if (text.empty()) return {};
    return text.front() == '-' ? found("553 " + text.substr(1), "RBLSMTPD in the rules")
                               : found("451 " + text, "RBLSMTPD in the rules");
}

}  // namespace relais::policy
