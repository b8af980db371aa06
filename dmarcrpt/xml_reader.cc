// Reads the XML of reports, with expat.
#include <expat.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "dmarcrpt/report.h"
#include "net/socket.h"

namespace relais::dmarcrpt {
namespace {

// Where the reader is: names of elements without namespaces, joined by '/', below the root.
class Reading {
  public:
    Reading(XML_Parser parser, Room& room) : parser_(parser), room_(room) {}

    void start(std::string_view name) {
        if (++depth_ > depth_limit) return stop("its XML is deeper than that of any report");
        if (depth_ == 1 && name != "feedback") return stop("its XML is no report of DMARC");
        if (depth_ > 1) path_ += "/" + std::string(name.substr(0, text_limit));
        forget_text();
        if (path_ == "/record") begin_row();
        if (row() == nullptr) return;
        if (path_ == "/record/auth_results/dkim") add(row()->dkim_results, AuthResult{});
        if (path_ == "/record/auth_results/spf") add(row()->spf_results, AuthResult{});
        if (path_ == "/record/row/policy_evaluated/reason") add(row()->reasons, {});
    }

    // What is too long is cut between two characters, and ends there.
    void text(std::string_view more) {
        if (full_) return;
        std::size_t size = more.size();
        if (size > text_limit - text_.size()) {
            full_ = true;
            size = text_limit - text_.size();
            while (size > 0 && (static_cast<unsigned char>(more[size]) & 0xc0) == 0x80) --size;
        }
        text_.append(more.substr(0, size));
    }

    void end() {
        if (path_ == "/record" && row() != nullptr) finish(*row());
        if (depth_ > 1) {
            take(std::string(trim(text_)));
            path_.resize(std::min(path_.rfind('/'), path_.size()));
        }
        forget_text();
        --depth_;
    }

    void stop(std::string_view why) {
        if (complaint_.empty()) complaint_ = why;
        XML_StopParser(parser_, XML_FALSE);
    }

    const std::string& complaint() const { return complaint_; }
    Report& report() { return report_; }

  private:
    void forget_text() {
        text_.clear();
        full_ = false;
    }

    template <class Item>
    void add(std::vector<Item>& list, Item item) {
        if (room_.items == 0) return stop("it has more results than are read");
        --room_.items;
        dropped_ = list.size() >= list_limit;
        if (!dropped_) list.push_back(std::move(item));
    }

    void begin_row() {
        if (room_.rows == 0) return stop("it has more rows than are read");
        --room_.rows;
        report_.rows.emplace_back();
    }

    // Words and addresses have one spelling, whoever reports them.
    static void finish(Row& row) {
        for (std::string* word : {&row.disposition, &row.dkim, &row.spf}) *word = lower(*word);
        if (auto address = net::canonical_address(row.ip)) row.ip = *std::move(address);
    }

    Row* row() {
        return path_.starts_with("/record") && !report_.rows.empty() ? &report_.rows.back() : nullptr;
    }

    void take(std::string text) {
        if (std::string* const place = place_in_report()) {
            *place = std::move(text);
        } else if (path_ == "/report_metadata/error") {
            add(report_.errors, std::move(text));
        } else if (path_ == "/report_metadata/date_range/begin") {
            report_.begin = parse_number(text).value_or(0);
        } else if (path_ == "/report_metadata/date_range/end") {
            report_.end = parse_number(text).value_or(0);
        } else if (row() != nullptr) {
            take_of_row(*row(), std::move(text));
        }
    }

    std::string* place_in_report() {
        const std::pair<std::string_view, std::string*> places[] = {
            {"/report_metadata/org_name", &report_.organization},
            {"/report_metadata/email", &report_.contact},
            {"/report_metadata/report_id", &report_.id},
            {"/policy_published/domain", &report_.domain},
            {"/policy_published/p", &report_.p},
            {"/policy_published/sp", &report_.sp},
            {"/policy_published/np", &report_.np},
            {"/policy_published/adkim", &report_.adkim},
            {"/policy_published/aspf", &report_.aspf},
            {"/policy_published/testing", &report_.testing}};
        for (const auto& [path, place] : places)
            if (path_ == path) return place;
        return nullptr;
    }

    void take_of_row(Row& row, std::string text) {
        // Sums of them do not overflow.
        if (path_ == "/record/row/count")
            row.count = std::min(parse_number(text).value_or(0), std::uint64_t{1} << 40);
        const std::pair<std::string_view, std::string*> places[] = {
            {"/record/row/source_ip", &row.ip},
            {"/record/row/policy_evaluated/disposition", &row.disposition},
            {"/record/row/policy_evaluated/dkim", &row.dkim},
            {"/record/row/policy_evaluated/spf", &row.spf},
            {"/record/identifiers/header_from", &row.header_from},
            {"/record/identifiers/envelope_from", &row.envelope_from},
            {"/record/identifiers/envelope_to", &row.envelope_to}};
        for (const auto& [path, place] : places)
            if (path_ == path) *place = text;
        if (!row.reasons.empty() && !dropped_) {
            if (path_ == "/record/row/policy_evaluated/reason/type") row.reasons.back().first = text;
            if (path_ == "/record/row/policy_evaluated/reason/comment") row.reasons.back().second = text;
        }
        take_result(row.dkim_results, "/record/auth_results/dkim/", "selector", text);
        take_result(row.spf_results, "/record/auth_results/spf/", "scope", text);
    }

    void take_result(std::vector<AuthResult>& results, std::string_view below, std::string_view detail,
                     const std::string& text) {
        if (results.empty() || dropped_ || !path_.starts_with(below)) return;
        const std::string_view name = std::string_view(path_).substr(below.size());
        if (name == "domain") results.back().domain = text;
        if (name == "result") results.back().result = text;
        if (name == detail) results.back().detail = text;
    }

    XML_Parser parser_;
    Room& room_;
    int depth_ = 0;
    std::string path_{};
    std::string text_{};
    bool full_ = false;
    bool dropped_ = false;  // the list has no room for the item that is being read
    std::string complaint_{};
    Report report_{};
};

Reading& reading(void* data) {
    return *static_cast<Reading*>(data);
}

void XMLCALL on_start(void* data, const XML_Char* name, const XML_Char**) {
    // Behind the prefix. Namespaces are not resolved: a long one would be looked through for each element.
    const std::string_view whole = name;
    reading(data).start(whole.substr(whole.rfind(':') + 1));
}

void XMLCALL on_end(void* data, const XML_Char*) {
    reading(data).end();
}

void XMLCALL on_text(void* data, const XML_Char* text, int size) {
    reading(data).text({text, static_cast<std::size_t>(size)});
}

void XMLCALL on_document_type(void* data, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    reading(data).stop("its XML has a document type, which no report needs");
}

}  // namespace

std::uint64_t Report::messages() const {
    std::uint64_t sum = 0;
    for (const Row& row : rows) sum += row.count;
    return sum;
}

std::uint64_t Report::passed() const {
    std::uint64_t sum = 0;
    for (const Row& row : rows) sum += row.passes() ? row.count : 0;
    return sum;
}

std::variant<Report, Complaint> parse_xml(std::string_view xml, Room& room) {
    if (xml.size() > room_of_file.octets) return Complaint{"it is longer than any report is"};
    const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate(nullptr),
                                                                         &XML_ParserFree);
    if (!parser) return Complaint{"there is no memory to read it"};
    Reading state(parser.get(), room);
    XML_SetUserData(parser.get(), &state);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_document_type);
    const auto result = XML_Parse(parser.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE);
    if (!state.complaint().empty()) return Complaint{state.complaint()};
    if (result != XML_STATUS_OK)
        return Complaint{"its XML is wrong in line " +
                         std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": " +
                         XML_ErrorString(XML_GetErrorCode(parser.get()))};
    return std::move(state.report());
}

}  // namespace relais::dmarcrpt
