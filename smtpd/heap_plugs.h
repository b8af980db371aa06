// The acceptor's heap as its children find it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace relais::smtpd {

// Takes all free memory between what the acceptor uses, so that what a child allocates lies together behind it: a child that fills
// such holes copies a page for each, and a session that speaks TLS touches twice as many pages. Take them when the acceptor has
// read what it needs, and before the old ones are given back, which are as many.
class HeapPlugs {
  public:
    void take();
    void give_back() { plugs_.clear(); }

  private:
    void plug_large();
    std::uintptr_t plug(std::size_t size);

    struct Release {
        void operator()(void* memory) const { std::free(memory); }
    };
    std::vector<std::unique_ptr<void, Release>> plugs_;
};

}  // namespace relais::smtpd
