// The recipients of a message, as they stand in its envelope: a message may have millions, so each takes no
// more than its octets there and a number. One that is asked for is made for the moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mail/envelope.h"

namespace relais::queue {

enum class Mark : char { to_do = 'T', done = 'D', failed = 'F' };

struct Recipient {
    std::string address;
    Mark mark = Mark::to_do;
    std::uint64_t mark_offset = 0;  // in the file
    mail::RecipientOptions options{};
};

class Recipients {
  public:
    Recipients() = default;
    Recipients(std::initializer_list<Recipient> all) {
        for (const Recipient& recipient : all) push_back(recipient);
    }
    // octets, which stand at that offset of a file, have (mark address NUL) at each of these places.
    Recipients(std::string octets, std::uint64_t offset, std::vector<std::uint32_t> places)
        : octets_(std::move(octets)), offset_(offset), places_(std::move(places)) {}

    // For an envelope that is to be written: mark_offset does not count.
    void push_back(const Recipient& recipient);
    // What is said of the recipients of a file, as many as there are.
    void set_options(std::vector<mail::RecipientOptions> options);

    std::size_t size() const { return places_.size(); }
    bool empty() const { return places_.empty(); }
    const Recipient operator[](std::size_t i) const;
    const Recipient back() const { return (*this)[size() - 1]; }
    // Valid as long as this is not changed.
    std::string_view address(std::size_t i) const;
    Mark mark(std::size_t i) const { return static_cast<Mark>(octets_[places_[i]]); }
    const mail::RecipientOptions& options(std::size_t i) const;
    bool any_options() const { return !options_.empty(); }
    // What the constructor was given.
    std::string_view octets() const { return octets_; }
    const std::vector<std::uint32_t>& places() const { return places_; }

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Recipient;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = const Recipient;

        Iterator(const Recipients& all, std::size_t at) : all_(&all), at_(at) {}
        reference operator*() const { return (*all_)[at_]; }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) {
            const Iterator before = *this;
            ++at_;
            return before;
        }
        bool operator==(const Iterator&) const = default;

      private:
        const Recipients* all_;
        std::size_t at_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, size()}; }

  private:
    std::string octets_;
    std::uint64_t offset_ = 0;
    std::vector<std::uint32_t> places_;  // of the marks in octets_
    // Of those of whom something is said, in order.
    std::vector<std::pair<std::uint32_t, mail::RecipientOptions>> options_;
};

}  // namespace relais::queue
