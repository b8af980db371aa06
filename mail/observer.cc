#include "mail/observer.h"

#include "mail/header.h"

namespace relais::mail {
namespace {

class NulObserver : public MessageObserver {
  public:
    void add(std::string_view text) override { found_ = found_ || text.find('\0') != std::string_view::npos; }
    std::optional<MessageRefusal> refusal() const override {
        return found_ ? std::optional(nul_received) : std::nullopt;
    }

  private:
    bool found_ = false;
};

class SizeObserver : public MessageObserver {
  public:
    explicit SizeObserver(std::uint64_t limit) : limit_(limit) {}
    void add(std::string_view text) override { size_ += text.size(); }
    std::optional<MessageRefusal> refusal() const override {
        return size_ > limit_ ? std::optional(too_big) : std::nullopt;
    }

  private:
    std::uint64_t limit_;
    std::uint64_t size_ = 0;
};

class HopObserver : public MessageObserver {
  public:
    void add(std::string_view text) override { hops_.add(text); }
    std::optional<MessageRefusal> refusal() const override {
        return hops_.hops() >= hop_limit ? std::optional(too_many_hops) : std::nullopt;
    }

  private:
    HopCounter hops_;
};

}  // namespace

std::string smtp_reply(const MessageRefusal& refusal) {
    return std::string(refusal.code) + ' ' + std::string(refusal.text);
}

void MessageObservers::watch(std::unique_ptr<MessageObserver> observer) {
    watch(*observer);
    owned_.push_back(std::move(observer));
}

std::optional<MessageRefusal> MessageObservers::add(std::string_view text) {
    for (MessageObserver* observer : all_) {
        observer->add(text);
        if (auto refusal = observer->refusal()) return refusal;
    }
    return std::nullopt;
}

void watch_limits(MessageObservers& observers, const MessageLimits& limits) {
    if (limits.refuse_nul) observers.watch(std::make_unique<NulObserver>());
    if (limits.size_limit > 0) observers.watch(std::make_unique<SizeObserver>(limits.size_limit));
    observers.watch(std::make_unique<HopObserver>());
}

}  // namespace relais::mail
