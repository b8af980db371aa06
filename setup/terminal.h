// A terminal that a tool has for itself: a screen of its own, keys as they are typed. What was there before
// comes back when this ends, also by an exception.
#pragma once

#include <termios.h>

#include <string>
#include <string_view>

namespace relais::setup {

class Terminal {
  public:
    // Both ends are terminals, of a kind that knows sequences.
    static bool usable();
    // Throws Error.
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // For a while: what was there before, and this one again.
    void leave();
    void enter();

    struct Size {
        unsigned columns;
        unsigned rows;
    };
    // 80 and 24 where the terminal does not say.
    static Size size();
    // Lines, each ended by LF, over what was shown. False if the terminal has gone.
    bool show(std::string_view lines);
    // The keys that were typed; false if the terminal has gone.
    static bool read_keys(std::string& keys);

  private:
    termios before_{};
    bool entered_ = false;
};

}  // namespace relais::setup
