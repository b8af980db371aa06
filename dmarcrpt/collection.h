// What was seen in a time, made into a report for each domain. Bounded: what does not fit is counted, and
// said in the report. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dmarcrpt/observation.h"
#include "dmarcrpt/report.h"

namespace relais::dmarcrpt {

struct Reporter {
    std::string address;
    std::string organization;
    std::string host;  // what the names of reports begin with

    // control/dmarcreports: "ADDRESS ORGANISATION", where the latter is the domain if it is missing. Throws a
    // permanent Error for what is no address.
    static Reporter parse(std::string_view line, std::string_view me);
};

class Collection {
  public:
    struct Limits {
        std::size_t domains = 1000;
        std::size_t domains_of_organization = 20;
        std::size_t rows = 50'000;  // of all domains together
        std::size_t rows_of_domain = 10'000;
        std::size_t octets = std::size_t{32} << 20;  // of the texts that tell rows apart
    };
    Collection() : Collection(Limits{}) {}
    explicit Collection(Limits limits) : limits_(limits) {}

    void add(Observation seen);
    // In the order of their names.
    std::vector<std::string> domains() const;
    // begin and end in seconds.
    Report report(const std::string& domain, const Reporter& reporter, std::uint64_t begin,
                  std::uint64_t end) const;
    // Messages of domains for which there was no room.
    std::uint64_t left_out() const { return left_out_; }

  private:
    struct Domain {
        std::string policy;  // the one that was seen last
        std::map<std::vector<std::string>, std::pair<Observation, std::uint64_t>> rows{};
        std::uint64_t left_out = 0;
    };

    Limits limits_;
    std::map<std::string, std::size_t> organizations_{};  // how many domains of each
    std::map<std::string, Domain> domains_{};
    std::size_t rows_ = 0, octets_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace relais::dmarcrpt
