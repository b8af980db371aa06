// The only place that talks to libunbound: questions in, answers as our protocol has them out. libunbound
// resolves, caches, validates and parses in a thread of its own; its answers come back through the event
// loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "net/resolver_protocol.h"

struct ub_ctx;
struct ub_result;

namespace relais::net {

struct LookupSettings {
    std::vector<std::string>
        servers;  // "ADDR" or "ADDR@PORT", asked recursively; empty: those of resolv_conf
    std::string resolv_conf = "/etc/resolv.conf";
    std::string anchor_file;  // trust anchors for DNSSEC; empty: no validation
};

class Lookup {
  public:
    using Done = std::function<void(DnsAnswer)>;

    // Throws Error if a setting cannot be used.
    Lookup(EventLoop& loop, const LookupSettings& settings);
    ~Lookup();
    Lookup(const Lookup&) = delete;
    Lookup& operator=(const Lookup&) = delete;

    // Asks; done is called once, later, from the loop, unless the question is cancelled. It must not destroy
    // this object. The name must be askable (dns_name.h). Throws Error.
    int start(const DnsQuestion& question, Done done);
    void cancel(int id);
    std::size_t outstanding() const { return pending_.size(); }

  private:
    struct Pending {
        Lookup* owner;
        int id;
        DnsQuestion question;
        Done done;
    };
    static void finished(void* pending, int error, ub_result* result);
    void set_option(const char* name, const char* value);
    void set_sizes();
    void open_private_zones();
    void set_servers(const LookupSettings& settings);

    EventLoop& loop_;
    ub_ctx* context_;
    int fd_ = -1;
    std::unordered_map<int, std::unique_ptr<Pending>> pending_;
};

// What a DNS answer means, given the parts libunbound names; records that do not parse are left out,
// but for TLSA (resolver_protocol.h).
DnsAnswer to_answer(RecordType type, const ub_result& result);

}  // namespace relais::net
