// What comes out of users/cdb, and out of the user look-up.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "local/lookup.h"
#include "local/user_database.h"
#include "local/user_process.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto user = local::decode_user(text, "rest")) {
        const std::string again = local::encode_user(*user);
        const auto same = local::decode_user(std::string_view(again).substr(0, again.size() - 1), "");
        if (!same || same->extension != user->extension || same->uid != user->uid) std::abort();
    }
    if (const auto answer = local::decode_lookup_answer(text))
        if (local::encode(*answer) != text) std::abort();
    if (const auto question = local::decode_question(text))
        if (local::encode_question(question->delivery, question->local) != text) std::abort();
    if (const auto order = local::decode_user_order(text)) {
        const std::string user = local::encode_user(order->user);
        const auto same = local::decode_user_order(local::encode_user_order(user, order->order));
        if (!same || same->user.uid != order->user.uid || same->user.home != order->user.home ||
            same->order.recipient != order->order.recipient)
            std::abort();
    }
    // Every key leads to the same hostile record, or to none.
    const std::string_view local = text.substr(0, size / 2);
    const std::string_view record = text.substr(size / 2);
    try {
        local::find_assigned(local, [&](std::string_view key) -> std::optional<std::string_view> {
            if (key.empty()) return std::string_view("-+.");
            if (key.size() % 3 == 0) return std::nullopt;
            return record;
        });
    } catch (const Error& error) {
        if (error.reaction() != Reaction::temporary) std::abort();
    }
    return 0;
}
