// What lists in DNS say of the client's address, its HELO name, the sender and what is in the message
// (control/dnsbllist).
#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>

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

// What lists are asked about at a stage, by the kind of list.
using Subjects = std::map<BlockList::Kind, std::vector<std::string>>;

// A group of questions holds so many (net::pipeline_limit), the first one apart.
constexpr std::size_t subjects_of_inquiry = net::pipeline_limit - 1;
constexpr std::size_t most_names_of_hosts = 2 * subjects_of_inquiry;

class Lists {
  public:
    Lists(Facts& facts, Subjects subjects)
        : facts_(facts),
          health_(facts.policy.list_health()),
          now_(now_seconds()),
          subjects_(std::move(subjects)) {}

    // What all lists say of these subjects, and said of others before.
    Result judge() {
        plan();
        if (inquiries_.empty()) return {};
        const auto answers = facts_.dns->ask_apart(questions_, facts_.dns_deadline);
        for (std::size_t i = 0; i < inquiries_.size(); ++i) hear(inquiries_[i], answers[i]);
        const bool is_news = !words_.empty();
        score_ += facts_.list_score.value_or(0);
        facts_.list_score = score_;
        return is_news ? verdict() : Result{};
    }

  private:
    void plan() {
        for (const BlockList& list : facts_.settings.block_lists.lists()) {
            const auto found = subjects_.find(list.kind);
            if (found == subjects_.end() || health_.rests(list.zone, now_)) continue;
            for (std::size_t first = 0; first < found->second.size(); first += subjects_of_inquiry)
                plan(list, std::span(found->second).subspan(first));
        }
    }

    void plan(const BlockList& list, std::span<const std::string> subjects) {
        Inquiry inquiry{&list, {}};
        std::vector<net::DnsQuestion> questions;
        const auto ask = [&](std::string name) { questions.push_back({RecordType::a, std::move(name)}); };
        ask(denied_by(list) + "." + list.zone);
        for (const std::string& subject : subjects) {
            if (inquiry.subjects.size() == subjects_of_inquiry) break;
            std::string name = name_of(list, subject);
            if (name.empty() || name.size() > 253) continue;
            inquiry.subjects.push_back(subject);
            ask(std::move(name));
        }
        if (inquiry.subjects.empty()) return;
        inquiries_.push_back(std::move(inquiry));
        questions_.push_back(std::move(questions));
    }

    static std::string denied_by(const BlockList& list) {
        return list.kind == BlockList::Kind::addresses ? "1.0.0.127" : "invalid";
    }

    static std::string name_of(const BlockList& list, const std::string& subject) {
        if (list.kind == BlockList::Kind::addresses) return net::reversed_address(subject, list.zone);
        return (list.kind == BlockList::Kind::hashes ? address_hash(subject) : subject) + "." + list.zone;
    }

    void hear(const Inquiry& inquiry, const std::vector<DnsAnswer>& answers) {
        const std::string& zone = inquiry.list->zone;
        for (const DnsAnswer& answer : answers)
            if (answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus) {
                if (health_.note_silence(zone, now_)) tell(zone, "does not answer");
                return;
            }
        if (answers.front().status == DnsStatus::found)
            return lies(
                zone, inquiry.list->kind == BlockList::Kind::addresses ? "lists 127.0.0.1" : "lists invalid");
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
    Subjects subjects_;
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
    Subjects subjects;
    subjects[BlockList::Kind::addresses] = {facts.client.ip};
    subjects[BlockList::Kind::domains] = domains_of(facts);
    if (!mail::split_address(facts.sender).domain.empty())
        subjects[BlockList::Kind::hashes] = {lower(facts.sender)};
    return Lists(facts, std::move(subjects)).judge();
}

Result check_dnsbl_of_message(Facts& facts) {
    Subjects subjects;
    subjects[BlockList::Kind::uris] = names_of_hosts(facts.subjects->hosts(), most_names_of_hosts);
    subjects[BlockList::Kind::hashes] = facts.subjects->addresses();
    // The list has been asked about the sender.
    std::erase(subjects[BlockList::Kind::hashes], lower(facts.sender));
    return Lists(facts, std::move(subjects)).judge();
}

// As rblsmtpd has it: a value that begins with a minus is final.
Result check_rblsmtpd(Facts& facts) {
    const std::string text = one_line(facts.client.rblsmtpd.value_or(""));
    if (text.empty()) return {};
    return text.front() == '-' ? found("553 " + text.substr(1), "RBLSMTPD in the rules")
                               : found("451 " + text, "RBLSMTPD in the rules");
}

}  // namespace relais::policy
