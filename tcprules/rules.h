// Rules by client address, as tcpserver keeps them in a cdb (keys: address.h, data: compile.h). One
// look-up for tcprulescheck, the listener and relay-explain.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::tcprules {

struct Client {
    std::string ip;                   // text form; ::ffff:a.b.c.d is looked up as a.b.c.d
    std::optional<std::string> host;  // TCPREMOTEHOST
    std::optional<std::string> info;  // TCPREMOTEINFO
};

struct Decision {
    bool allow = true;
    std::optional<std::string> rule;  // the key that matched; nothing: no rule, which allows
    std::vector<std::pair<std::string, std::string>> variables;
};

// The keys that a server asks for, in their order; the first that has a record decides. Pure.
std::vector<std::string> keys_of_client(const Client& client);
// What the data of the record with this key says. Pure.
Decision decode_record(std::string key, std::string_view data);

// A rules cdb, opened once; asks a file descriptor, so a replaced file is seen by opening it again.
class RulesFile {
  public:
    // Throws Error if the file cannot be opened or is no cdb.
    explicit RulesFile(const std::string& path);
    ~RulesFile();
    RulesFile(const RulesFile&) = delete;
    RulesFile& operator=(const RulesFile&) = delete;
    // In tcpserver's order; where that asks for ever shorter prefixes of the address, IPv6 networks
    // (address.h) stand among them by their length. Throws Error for a damaged file.
    Decision look_up(const Client& client) const;
    // Calls visit for every record. Throws Error for a damaged file.
    void for_each(const std::function<void(const Decision& record)>& visit) const;
    // Asks for every record by its key. Throws Error for a damaged file.
    void check() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace relais::tcprules
