#include "local/user_process.h"

#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "base/packet_batch.h"
#include "base/process_title.h"
#include "local/delivery.h"
#include "local/maildir.h"
#include "mail/address.h"
#include "mail/enhanced_status.h"

namespace relais::local {
namespace {

constexpr std::size_t size_octets = 4;
constexpr std::size_t packet_limit = 32768;

// One order, from its packet to its answer.
struct Work {
    UserOrder order;
    Fd file;
    send::Report answer;
    bool in_batch = false;
};

void answer_with(Work& work, send::Outcome outcome, std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    work.answer.recipients.assign(
        1, {outcome, std::string(text), mail::enhanced_status(send::status_class(outcome), "", text)});
}

void answer_with(Work& work, const Error& error) {
    answer_with(work,
                error.reaction() == Reaction::permanent ? send::Outcome::permanent : send::Outcome::temporary,
                error.what());
}

void add_to_batch(const control::Home& home, Work& work, MaildirBatch& batch,
                  const std::string& default_delivery, PlanMemory& memory) {
    const mail::AddressParts recipient = mail::split_address(work.order.order.recipient);
    Order order{work.order.user,
                std::string(recipient.local),
                std::string(recipient.domain),
                work.order.order.sender,
                default_delivery,
                std::nullopt};
    order.instance = &home;
    const Message message(work.file.get(), work.order.order.message_size);
    const auto plan = plan_maildir(order, message, memory);
    if (!plan) return;  // answered without recipients: given back
    batch.add(plan->directory, plan->head, message);
    work.in_batch = true;
}

// What waits in the channel; at least one order, or none when it has been closed.
std::vector<Work> take_orders(PacketReader& reader, int channel) {
    std::vector<Work> all;
    for (PacketReader::Packet& packet : reader.read(channel)) {
        auto order = decode_user_order(packet.data);
        if (!order || !packet.passed) throw Error(Reaction::bug, "an order that cannot be read");
        Work work{*std::move(order), std::move(packet.passed), {}, false};
        work.answer.delivery = work.order.order.delivery;
        all.push_back(std::move(work));
    }
    return all;
}

void carry_out(const control::Home& home, std::vector<Work>& all, const std::string& default_delivery) {
    MaildirBatch batch;
    PlanMemory memory;
    for (Work& work : all) {
        try {
            add_to_batch(home, work, batch, default_delivery, memory);
        } catch (const Error& error) {
            answer_with(work, error);
        }
    }
    const auto results = batch.finish();
    std::size_t next = 0;
    for (Work& work : all) {
        if (!work.in_batch) continue;
        if (const auto& error = results[next++])
            answer_with(work, *error);
        else
            answer_with(work, send::Outcome::success, "did 1+0+0");
    }
}

}  // namespace

std::string encode_user_order(std::string_view user, const send::LocalOrder& order) {
    std::string packet;
    for (std::size_t i = 0; i < size_octets; ++i)
        packet += static_cast<char>((user.size() >> (8 * i)) & 0xff);
    return packet.append(user).append(send::encode(order));
}

std::optional<UserOrder> decode_user_order(std::string_view packet) {
    if (packet.size() < size_octets) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t i = size_octets; i-- > 0;) size = size << 8 | static_cast<unsigned char>(packet[i]);
    packet.remove_prefix(size_octets);
    if (size == 0 || size > packet.size()) return std::nullopt;
    auto user = decode_user(packet.substr(0, size - 1), "");
    auto order = send::decode_local_order(packet.substr(size));
    if (!user || !order || packet[size - 1] != '\0') return std::nullopt;
    return UserOrder{*std::move(user), *std::move(order)};
}

void serve_user(const control::Home& home, int channel, const std::string& default_delivery) {
    PacketReader reader(packet_limit, user_orders_limit);
    PacketWriter answers;
    for (;;) {
        std::vector<Work> all = take_orders(reader, channel);
        if (all.empty()) return;
        set_process_title_with_addresses("qmail-local", {all.front().order.order.recipient});
        carry_out(home, all, default_delivery);
        for (const Work& work : all) answers.put(send::encode(work.answer));
        all.clear();
        answers.flush(channel);
        // Nothing of the home is held while nothing is to be done there: it may be unmounted.
        if (::chdir("/") != 0) throw_errno("change to", "/");
        set_process_title("qmail-local", {"idle"});
    }
}

}  // namespace relais::local
