#include "local/spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/time.h"
#include "local/family_end.h"
#include "local/maildir.h"
#include "local/settings.h"
#include "local/user_process.h"
#include "mail/address.h"
#include "mail/enhanced_status.h"

namespace relais::local {
namespace {

// A LocalOrder is well below this; so many packets are taken at a time.
constexpr std::size_t order_limit = 4096;
constexpr std::size_t packets_at_once = 32;
// So long a user's instructions are taken to ask for more than a Maildir; so many users are remembered.
constexpr Seconds declined_span{60};
constexpr std::size_t declined_limit = 1000;
// So long a user's process waits for its next order; where the kernel tells of no changes, not long enough
// to meet one.
constexpr std::chrono::milliseconds longest_stay{30'000};
constexpr std::chrono::milliseconds unwatched_stay{500};

std::string_view local_part(const send::LocalOrder& order) {
    return mail::split_address(order.recipient).local;
}

}  // namespace

Spawner::Spawner(control::Home home, std::string default_delivery, Fd channel, Fd heirs)
    : home_(std::move(home)),
      owners_(control::Owners::read(home_)),
      default_delivery_(std::move(default_delivery)),
      line_(loop_, std::move(channel), std::move(heirs), {order_limit, packets_at_once},
            {[this] { look_for_changes(); },
             [this](PacketReader::Packet packet) { take_order(std::move(packet)); }, [this] { retire(); },
             [this](std::uint64_t delivery) { cut(delivery); }}),
      lookups_(
          loop_, home_.program("qmail-getpw"), owners_,
          [this](const LookupAnswer& answer) { on_lookup_answer(answer); }, [this] { lookups_died(); }),
      known_users_(home_),
      accounts_("/etc/passwd"),
      refusals_(home_),
      users_(
          loop_, [this](UserProcesses::Owner owner, int process) { become_user_process(owner, process); },
          [this](std::uint64_t number, std::optional<send::Report> answer, const std::string& trouble) {
              take_user_answer(number, std::move(answer), trouble);
          },
          [this] { return may_stay(); }) {
    maildir_host();  // asked once, not in every delivery
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    loop_.before_wait([this] { return before_wait(); });
}

// What a turn of the loop has gathered for a peer is sent together.
bool Spawner::before_wait() {
    const bool more = users_.dispatch();
    lookups_.flush();
    line_.flush();
    if (line_.finished()) loop_.stop();
    return more;
}

void Spawner::run() {
    loop_.run();
}

void Spawner::take_order(PacketReader::Packet packet) {
    auto order = send::decode_local_order(packet.data);
    // No report could name its delivery; qmail-start begins anew with all three programs.
    if (!order) throw Error(Reaction::bug, "qmail-send sent an order that cannot be read");
    const std::uint64_t number = order->delivery;
    line_.begin(
        {number, order->message, now_seconds(), send::Channel::local, order->recipient, {order->index}});
    Delivery& delivery = deliveries_[number];
    delivery.order = *std::move(order);
    delivery.message = std::move(packet.passed);
    if (auto fault = fault_of(delivery)) return report(number, send::Outcome::temporary, *std::move(fault));
    const std::string_view local = local_part(delivery.order);
    if (const LookupAnswer* known = known_users_.find(local)) {
        LookupAnswer answer = *known;
        answer.delivery = number;
        return take_answer(answer);
    }
    ask(number, delivery);
}

// Processes of users do not outlive what they were made by: users/, control/, the system's accounts.
void Spawner::look_for_changes() {
    known_users_.look();
    const bool other_files = std::exchange(users_state_, known_users_.state()) != known_users_.state();
    if (other_files || users_state_ == 0) try {
            srs_domain_ = read_srs_domain(home_);
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
        }
    if (accounts_.changed() || other_files) users_.outdate();
}

Clock::duration Spawner::may_stay() {
    look_for_changes();
    return known_users_.state() == 0 ? unwatched_stay : longest_stay;
}

void Spawner::ask(std::uint64_t number, Delivery& delivery) {
    delivery.asked_in = known_users_.state();
    lookups_.ask(number, local_part(delivery.order));
}

// What is wrong with the descriptor that came with an order: root reads for others only what is in the queue.
std::optional<std::string> Spawner::fault_of(const Delivery& delivery) const {
    struct stat status {};
    const int fd = delivery.message.get();
    if (fd < 0 || ::fstat(fd, &status) != 0) return "The message came without a descriptor. (#4.3.0)";
    const int flags = ::fcntl(fd, F_GETFL);
    if (!S_ISREG(status.st_mode) || status.st_uid != owners_.of(control::Role::qmailq).uid || flags < 0 ||
        (flags & O_ACCMODE) != O_RDONLY ||
        static_cast<std::uint64_t>(status.st_size) < delivery.order.message_size)
        return "The message's descriptor is not one of the queue's. (#4.3.0)";
    return std::nullopt;
}

void Spawner::on_lookup_answer(const LookupAnswer& answer) {
    if (const auto asked = deliveries_.find(answer.delivery); asked != deliveries_.end())
        known_users_.keep(std::string(local_part(asked->second.order)), answer, asked->second.asked_in);
    take_answer(answer);
}

// Whatever it died of, the mail it was asked about waits.
void Spawner::lookups_died() {
    std::vector<std::uint64_t> asked;
    for (const auto& [number, delivery] : deliveries_)
        if (!delivery.begun) asked.push_back(number);
    for (const std::uint64_t number : asked)
        report(number, send::Outcome::temporary, "Temporary failure in qmail-lspawn. (#4.3.0)");
}

void Spawner::take_answer(const LookupAnswer& answer) {
    const auto found = deliveries_.find(answer.delivery);
    if (found == deliveries_.end() || found->second.begun) return;
    if (answer.result != Lookup::found) return report(answer.delivery, send::Outcome::temporary, answer.text);
    Delivery& delivery = found->second;
    const FoundIds ids{answer.uid, answer.gid, answer.assigned};
    try {
        const std::string_view local = local_part(delivery.order);
        if (must_ask_again(local, ids, delivery)) return ask(answer.delivery, delivery);
        if (auto text = refusals_.of(local, ids))
            return report(answer.delivery, send::Outcome::temporary, *std::move(text));
    } catch (const Error& error) {
        return report(answer.delivery, send::Outcome::temporary,
                      std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
    }
    delivery.begun = true;
    delivery.user = answer;
    begin(delivery);
}

// A look-up that saw an older or a newer users/cdb than this process is no liar: it is asked once more.
bool Spawner::must_ask_again(std::string_view local, const FoundIds& found, Delivery& delivery) {
    if (delivery.asked_again || refusals_.agrees(local, found)) return false;
    known_users_.look();
    delivery.asked_again = true;
    return !refusals_.agrees(local, found);
}

void Spawner::begin(Delivery& delivery) {
    const std::uint64_t number = delivery.order.delivery;
    try {
        if (suits_user_process(delivery))
            users_.give(owner_of(delivery.user), number,
                        encode_user_order(delivery.user.text, delivery.order), delivery.message.get());
        else
            start(delivery, delivery.user);
    } catch (const Error& error) {
        report(number, send::Outcome::temporary, std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
    }
}

bool Spawner::suits_user_process(const Delivery& delivery) {
    if (delivery.order.message_size > user_message_limit) return false;
    if (srs_domain_.is_rewritten(delivery.order.recipient)) return false;
    const auto declined = declined_.find(delivery.user.text);
    if (declined == declined_.end()) return true;
    if (declined->second > Clock::now()) return false;
    declined_.erase(declined);
    return true;
}

// Whose rights a delivery has: in an instance of one user his.
UserProcesses::Owner Spawner::owner_of(const LookupAnswer& answer) const {
    const control::Owner self = owners_.of(control::Role::alias);
    return owners_.single() ? UserProcesses::Owner{self.uid, self.gid}
                            : UserProcesses::Owner{answer.uid, answer.gid};
}

void Spawner::take_user_answer(std::uint64_t number, std::optional<send::Report> answer,
                               const std::string& trouble) {
    const auto found = deliveries_.find(number);
    if (found == deliveries_.end()) return;
    if (!answer) {
        report(number, send::Outcome::temporary, found->second.cut ? std::string(send::cut_text) : trouble);
    } else if (answer->recipients.empty()) {
        if (declined_.size() >= declined_limit) declined_.clear();
        declined_[found->second.user.text] = Clock::now() + declined_span;
        return begin(found->second);
    } else {
        const send::RecipientReport& first = answer->recipients[0];
        report(number, first.outcome, first.text.substr(0, report_limit));
    }
}

void Spawner::report(std::uint64_t delivery, send::Outcome outcome, std::string text) {
    deliveries_.erase(delivery);
    send::Report report;
    report.delivery = delivery;
    std::string status = mail::enhanced_status(send::status_class(outcome), "", text);
    report.recipients.push_back({outcome, std::move(text), std::move(status)});
    line_.report(delivery, send::encode(report));
}

// What has not begun is ordered again by the next qmail-send.
void Spawner::retire() {
    std::erase_if(deliveries_, [this](const auto& entry) {
        if (entry.second.begun) return false;
        line_.give_back(entry.first);
        return true;
    });
}

// By hand: one that has a process for itself reports when that has been reaped.
void Spawner::cut(std::uint64_t number) {
    const auto found = deliveries_.find(number);
    if (found == deliveries_.end()) return;  // its report is on the way
    Delivery& delivery = found->second;
    delivery.cut = true;
    if (delivery.pid > 0)
        kill_family(delivery.pid);
    else if (!delivery.begun || !users_.cut(number))
        report(number, send::Outcome::temporary, std::string(send::cut_text));
}

}  // namespace relais::local
