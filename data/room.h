#pragma once
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {

/// A vector of `count` elements, whose number comes from a file. Throws Error "WHAT needs N MB, more memory than there
/// is"; `what` names the file.
template <class T>
std::vector<T> room_for(std::size_t count, const std::string& what) {
  try {
    return std::vector<T>(count);
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {  // more than a vector can have
  }
  throw Error(what, " needs ", megabytes(static_cast<double>(count) * sizeof(T)), ", more memory than there is");
}

}  // namespace reverie::inline REVERIE_PRECISION
