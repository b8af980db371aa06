// Memory for passwords and what was made of them: locked against swapping, between guard pages, left out of
// core dumps, wiped when given back (sodium_malloc).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace relais {

class Secret {
  public:
    Secret() = default;
    // Room for that many octets, all zero. Throws Error when there is no memory.
    explicit Secret(std::size_t size);
    explicit Secret(std::string_view text);
    // The parts one after the other.
    static Secret joined(std::initializer_list<std::string_view> parts);

    std::string_view view() const { return {data_.get(), size_}; }
    std::span<char> span() { return {data_.get(), size_}; }
    std::size_t size() const { return size_; }
    // Keeps the first `size` octets; the room stays as it is.
    void shrink(std::size_t size) { size_ = size < size_ ? size : size_; }

  private:
    struct Free {
        void operator()(char* data) const;
    };
    std::unique_ptr<char, Free> data_;
    std::size_t size_ = 0;
};

// Overwrites what a string holds, in a way that is not optimised away, and empties it.
void wipe(std::string& text);

}  // namespace relais
