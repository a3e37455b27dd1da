#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

namespace kernels {
struct KernelChoice;
}

/// The thread-local state that a task inherits from the thread that started the loop; parallel_tasks sets it while a
/// task runs. It may point into the caller's stack, because the caller waits for all tasks.
struct TaskContext {
  const kernels::KernelChoice* kernels = nullptr;  ///< set by WithKernels (kernels/choice.h); null: the default
};
inline constinit thread_local TaskContext task_context;

/// Sets the calling thread's context, and restores the previous one at the end of the scope.
class WithTaskContext {
 public:
  explicit WithTaskContext(TaskContext context) : before_(task_context) { task_context = context; }
  ~WithTaskContext() { task_context = before_; }
  WithTaskContext(const WithTaskContext&) = delete;
  WithTaskContext& operator=(const WithTaskContext&) = delete;

 private:
  TaskContext before_;
};

}  // namespace reverie::inline REVERIE_PRECISION
