#pragma once
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Keeps other programs from training in a folder: holds a lock on the file `.lock` in it, and removes that file at the
/// end. If the program is killed, the system releases the lock; the file that stays is used by the next run.
class FolderLock {
 public:
  /// Throws Error if another program holds the lock, or if the file can't be made.
  explicit FolderLock(const std::string& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace reverie::inline REVERIE_PRECISION
