#include "apps/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

FolderLock::FolderLock(const std::string& folder) : path_(folder + "/.lock") {
  while (file_ < 0) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file_ < 0) throw Error(path_, ": can't be made: ", std::strerror(errno));
    const bool locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno == EWOULDBLOCK) {
      ::close(file_);
      throw Error(folder, ": another program is training here; wait until it ends, or choose another --out");
    }
    if (!locked) std::cerr << "warning: " << path_ << ": can't be locked: " << std::strerror(errno) << "\n";
    struct stat found {};
    if (::fstat(file_, &found) == 0 && found.st_nlink > 0) continue;
    ::close(file_);  // its owner removed the file between opening and locking
    file_ = -1;
  }
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());
  ::close(file_);
}

}  // namespace reverie::inline REVERIE_PRECISION
