// Constant databases (cdb, the format of tcprules, users/cdb and morercpthosts.cdb), through tinycdb.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais {

// A cdb opened for reading. The file is mapped: it must be replaced by rename, never changed in place. To see
// a replaced file, open it again.
class CdbReader {
  public:
    // Throws Error if the file cannot be opened or is no cdb.
    explicit CdbReader(const std::string& path);
    ~CdbReader();
    CdbReader(CdbReader&&) noexcept;
    CdbReader& operator=(CdbReader&&) noexcept;

    // The data of the first record with this key; points into the map, valid as long as the reader. Throws
    // Error for a damaged file.
    std::optional<std::string_view> find(std::string_view key) const;
    // Calls visit for every record, in the order of the file, those that find hides among them. Throws as
    // find does.
    void for_each(const std::function<void(std::string_view key, std::string_view data)>& visit) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Makes a cdb beside the old one and puts it in its place as a whole. Two writers with the same temporary
// file take turns.
class CdbWriter {
  public:
    // Takes the temporary file, which must be on the same file system; what was in it is lost. Throws Error.
    CdbWriter(std::string path, std::string temporary, mode_t mode = 0644);
    // Removes the temporary file unless commit was reached.
    ~CdbWriter();
    CdbWriter(const CdbWriter&) = delete;
    CdbWriter& operator=(const CdbWriter&) = delete;

    // Keys may repeat; readers find the first. A cdb holds 4 GiB at most. Throws Error.
    void add(std::string_view key, std::string_view data);
    // Completes and syncs the file, renames it to path and syncs the directory. Throws Error; the old cdb
    // then stands, unless it was the last of these steps that failed.
    void commit();

  private:
    struct State;
    std::string path_;
    std::string temporary_;
    Fd file_;
    std::unique_ptr<State> state_;
    bool committed_ = false;
};

}  // namespace relais
