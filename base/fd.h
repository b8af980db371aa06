// Owner of one file descriptor. Functions that only use a descriptor take a plain int and do not keep it.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <utility>

namespace relais {

class Fd {
  public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    int get() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    // Gives the descriptor up without closing it.
    [[nodiscard]] int release() { return std::exchange(number_, -1); }
    void reset() {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }

  private:
    int number_ = -1;
};

// A pipe, both ends close-on-exec.
struct Pipe {
    Fd read;
    Fd write;
};
// Throws Error.
Pipe make_pipe();

// Makes the limit of descriptors of this process that, or as much as it may be. Returns what it is now.
// Throws Error.
std::size_t raise_descriptor_limit(std::size_t wanted);

// Sets or clears O_NONBLOCK. Throws Error.
void set_nonblocking(int fd, bool on);
// Sets or clears FD_CLOEXEC. Throws Error.
void set_close_on_exec(int fd, bool on);

}  // namespace relais
