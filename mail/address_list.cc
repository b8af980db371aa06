#include "mail/address_list.h"

#include <utility>

#include "mail/address.h"
#include "mail/header_tokens.h"

namespace relais::mail {
namespace {

using Tokens = std::vector<Token>;
constexpr std::size_t fold_column = 80;

bool is_comment(const Token& token) {
    return token.kind == Token::Kind::comment;
}

void add_spaced(std::string& text, const std::string& more) {
    if (!text.empty()) text += ' ';
    text += more;
}

// Tokens on one line, a space where one stood or where two words would run together.
std::string phrase(const Tokens& tokens) {
    std::string text;
    const Token* last = nullptr;
    for (const Token& token : tokens) {
        const bool words =
            last != nullptr && last->kind != Token::Kind::special && token.kind != Token::Kind::special;
        if (last != nullptr && (token.after_blank || words)) text += ' ';
        text += written(token);
        last = &token;
    }
    return text;
}

// Removes "@a,@b:" from the front (RFC 5322, 4.4, obs-route). A route without its colon is all there is.
void strip_route(Tokens& tokens) {
    if (tokens.empty() || !tokens.front().is('@')) return;
    auto colon = tokens.begin();
    while (colon != tokens.end() && !colon->is(':')) ++colon;
    tokens.erase(tokens.begin(), colon == tokens.end() ? colon : colon + 1);
}

// The tokens of one addr-spec, comments among them. False if they hold what no address has.
bool read_addr_spec(Tokens tokens, ListedAddress& result) {
    Tokens plain;
    for (Token& token : tokens)
        if (is_comment(token))
            add_spaced(result.comment, written(token));
        else
            plain.push_back(std::move(token));
    strip_route(plain);
    while (!plain.empty() && (plain.back().is('.') || plain.back().is('@'))) plain.pop_back();
    std::size_t at = plain.size();
    while (at > 0 && !plain[at - 1].is('@')) --at;
    result.has_domain = at > 0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const Token& token = plain[i];
        if (token.is('<') || token.is('>')) return false;
        if (result.has_domain && i + 1 == at) continue;
        const bool in_domain = result.has_domain && i >= at;
        // Neither what must be quoted nor an '@' that does not separate can be part of a domain.
        const bool literal = token.kind == Token::Kind::literal;
        const bool fits = literal ? token.text.find('@') == std::string::npos
                                  : token.is_word() && written(token) == token.text;
        if (in_domain && !token.is('.') && !fits) return false;
        (in_domain ? result.domain : result.local) += literal ? written(token) : token.text;
    }
    return true;
}

class ListReader {
  public:
    explicit ListReader(Tokens tokens) : tokens_(std::move(tokens)) {}

    std::optional<AddressList> run() {
        while (at_ < tokens_.size())
            if (!step(tokens_[at_++])) return std::nullopt;
        if (!flush() || in_group_) return std::nullopt;
        return std::move(list_);
    }

  private:
    bool step(const Token& token) {
        if (token.is(',')) return flush();
        if (token.is(';')) {
            if (!flush()) return false;
            in_group_ = false;
            return true;
        }
        if (token.is('<')) return bracket();
        if (token.is('>')) return false;
        if (token.is(':') && !routed()) return open_group();
        pending_.push_back(token);
        return true;
    }

    // A source route without brackets: its colon opens no group.
    bool routed() const { return !pending_.empty() && pending_.front().is('@'); }

    bool open_group() {
        if (in_group_) return false;
        list_.push_back({true, phrase(pending_), {}});
        pending_.clear();
        in_group_ = true;
        return true;
    }

    bool bracket() {
        ListedAddress address;
        address.bracketed = true;
        address.name = phrase(pending_);
        pending_.clear();
        Tokens inside;
        while (at_ < tokens_.size() && !tokens_[at_].is('>')) inside.push_back(tokens_[at_++]);
        if (at_ == tokens_.size()) return false;
        ++at_;
        if (!read_addr_spec(std::move(inside), address)) return false;
        while (at_ < tokens_.size() && is_comment(tokens_[at_]))
            add_spaced(address.comment, written(tokens_[at_++]));
        add(std::move(address));
        return true;
    }

    // Turns what was gathered into addresses: words with neither '.' nor '@' between them belong to different
    // ones.
    bool flush() {
        Tokens current;
        bool after_word = false;
        for (Token& token : std::exchange(pending_, {})) {
            const bool word = token.is_word() || token.kind == Token::Kind::literal;
            if (word && after_word && !flush_one(std::exchange(current, {}))) return false;
            if (!is_comment(token)) after_word = word;
            current.push_back(std::move(token));
        }
        return flush_one(std::move(current));
    }

    bool flush_one(Tokens tokens) {
        bool only_comments = true;
        for (const Token& token : tokens) only_comments = only_comments && is_comment(token);
        if (only_comments) {
            if (!tokens.empty() && !in_group_) list_.push_back({false, phrase(tokens), {}});
            return true;
        }
        ListedAddress address;
        if (!read_addr_spec(std::move(tokens), address)) return false;
        if (!address.local.empty() || address.has_domain) add(std::move(address));
        return true;
    }

    void add(ListedAddress address) {
        if (!in_group_) list_.push_back({});
        list_.back().addresses.push_back(std::move(address));
    }

    Tokens tokens_;
    std::size_t at_ = 0;
    Tokens pending_;
    bool in_group_ = false;
    AddressList list_;
};

std::string written(const ListedAddress& address) {
    std::string text = quoted_address(address.address());
    // Without '@' the last one of the local part must not look like one.
    if (!address.has_domain && address.local.find('@') != std::string::npos)
        text = mail::written(Token{Token::Kind::quoted, address.local, false});
    if (address.bracketed) {
        text = "<" + text + ">";
        if (!address.name.empty()) text = address.name + " " + text;
    }
    if (!address.comment.empty()) text += " " + address.comment;
    return text;
}

}  // namespace

std::string ListedAddress::address() const {
    return has_domain ? local + "@" + domain : local;
}

std::optional<AddressList> parse_address_list(std::string_view body) {
    auto tokens = tokenize(body);
    if (!tokens) return std::nullopt;
    return ListReader(std::move(*tokens)).run();
}

std::vector<ListedAddress*> addresses_of(AddressList& list) {
    std::vector<ListedAddress*> all;
    for (ListEntry& entry : list)
        for (ListedAddress& address : entry.addresses) all.push_back(&address);
    return all;
}

std::string write_address_field(std::string_view field_name, const AddressList& list) {
    std::string text(field_name);
    text += ':';
    std::size_t line_start = 0;
    const auto put = [&text, &line_start](const std::string& piece, bool may_fold) {
        if (may_fold && text.size() - line_start + 1 + piece.size() + 1 > fold_column) {
            text += "\n ";
            line_start = text.size() - 1;
        }
        text.append(" ").append(piece);
    };
    for (std::size_t i = 0; i < list.size(); ++i) {
        const ListEntry& entry = list[i];
        if (i > 0) text += ',';
        if (entry.group || entry.addresses.empty()) put(entry.name + (entry.group ? ":" : ""), i > 0);
        for (std::size_t j = 0; j < entry.addresses.size(); ++j) {
            if (j > 0) text += ',';
            put(written(entry.addresses[j]), i + j > 0);
        }
        if (entry.group) text += entry.addresses.empty() ? " ;" : ";";
    }
    if (list.empty()) text += ' ';
    return text += '\n';
}

}  // namespace relais::mail
