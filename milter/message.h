// A message as milters see and change it: envelope, header fields in their order, a body.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "milter/spool.h"
#include "milter/wire.h"

namespace relais::milter {

// A header above it is none that a milter can be shown; so much do milters add at most.
inline constexpr std::size_t header_limit = std::size_t{1} << 20;
// What a milter may bring the recipients to.
inline constexpr std::size_t recipients_limit = 100000;

// A milter may make a body twice as large, and so much larger still.
inline constexpr std::uint64_t body_spare = std::uint64_t{16} << 20;

struct Field {
    std::string name;
    std::string value;    // what stands behind the colon, folds with LF, without the last one
    bool hidden = false;  // our own trace field: no milter sees or counts it
    bool operator==(const Field&) const = default;
};

class Message {
  public:
    explicit Message(std::string directory) : directory_(std::move(directory)), body_(new_body()) {}

    std::string sender{};
    std::vector<std::string> recipients{};
    bool hold = false;
    std::string hold_reason{};

    // Our trace field as the text will have it.
    void hide(std::string_view field) { hidden_ = field; }
    // The text in pieces, LF line ends. Throws Error: no room for it, or a header above its limit.
    void add_text(std::string_view text);
    // All has come.
    void end_text();

    const std::vector<Field>& fields() const { return fields_; }
    Spool& body() const { return *body_; }

    // What a milter's answers do, one after the other, to a copy: nothing of it counts unless the copy is
    // taken for the message. False for one that makes no sense here. Throws Error.
    bool apply(const Reply& reply);
    // The last answer was applied.
    void end_changes();
    // Whether the text has been changed.
    bool changed() const { return changed_; }

    // Gives out the text in pieces. Throws what take throws, and Error.
    void write(const std::function<void(std::string_view)>& take) const;

  private:
    std::shared_ptr<Spool> new_body() const { return std::make_shared<Spool>(directory_); }
    void take_header_lines();
    void take_field(std::string_view text);
    void end_header(std::string_view rest, bool blank);
    void insert_field(std::uint32_t before, Field field);
    void change_field(std::uint32_t number, const std::string& name, std::string value);
    void delete_recipient(const std::string& address);
    void replace_body(std::string_view piece);
    bool has_room_for(const Reply& reply);

    std::string directory_;
    std::string hidden_{};
    bool in_header_ = true;
    std::string header_{};      // what of it is not yet read
    std::size_t searched_ = 0;  // of it: so much has no line end
    std::size_t header_size_ = 0;
    std::string field_{};  // not yet ended
    std::vector<Field> fields_{};
    std::shared_ptr<Spool> body_;
    bool blank_ = false;  // a blank line follows the header
    bool changed_ = false;
    bool replacing_ = false;  // the body comes anew
    bool held_return_ = false;
    std::size_t added_ = 0;        // to the header
    std::uint64_t body_room_ = 0;  // for what comes of a new body
};

}  // namespace relais::milter
