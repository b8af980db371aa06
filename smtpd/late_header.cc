#include "smtpd/late_header.h"

#include <utility>

namespace relais::smtpd {

void LateHeader::write(std::string_view text) {
    if (gone_on_) return next_->write(text);
    kept_.append(text);
    if (kept_.size() > limit_) put_on_top(early_());
}

void LateHeader::put_on_top(std::string_view fields) {
    if (std::exchange(gone_on_, true)) return;
    next_->write(fields);
    next_->write(kept_);
    std::string().swap(kept_);
}

queue::SubmitAnswer LateHeader::finish(const std::string& sender,
                                       const std::vector<std::string>& recipients) {
    put_on_top("");
    return next_->finish(sender, recipients);
}

}  // namespace relais::smtpd
