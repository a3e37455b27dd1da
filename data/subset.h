#pragma once
#include "data/image_set.h"

namespace reverie::inline REVERIE_PRECISION {

/// A part of a set that stands for the whole: `count` samples, with their labels, in a random order that is always the
/// same; or all of them in their own order, if the set has no more. The first samples of a set can't stand for it: sets
/// are often sorted by class. Short of the whole set, a smaller subset is the beginning of a larger one.
class Subset : public Dataset {
 public:
  /// `set` must outlive the subset. Throws UsageError unless count >= 1.
  Subset(const Dataset& set, Index count);
  /// The samples of these rows, in this order.
  Subset(const Dataset& set, std::vector<Index> rows);
  /// `count` random samples of each class; another seed takes others. A smaller count is a part of a larger one. Throws
  /// UsageError for a set without classes and, naming the class, for fewer samples than `count`.
  static Subset of_each_class(const Dataset& set, Index count, std::uint64_t seed);

  Index size() const override { return std::ssize(rows_); }
  Shape sample_shape() const override { return set_.sample_shape(); }
  Tensor batch(std::span<const Index> indices) const override;
  /// The number of each sample in the whole set.
  const std::vector<Index>& rows() const { return rows_; }

 private:
  const Dataset& set_;
  std::vector<Index> rows_;
};

/// Two sets as one: the samples of the first, `times` times over, then those of the second. Captions are left out.
class Joined : public Dataset {
 public:
  /// Both must outlive the result. Classes are matched by name; the first set numbers them. Throws UsageError, naming
  /// the sets as given, for samples of another shape or other classes.
  Joined(const Dataset& first, const std::string& whose_first, const Dataset& second, const std::string& whose_second,
         Index times = 1);

  Index size() const override { return times_ * first_.size() + second_.size(); }
  Shape sample_shape() const override { return first_.sample_shape(); }
  Tensor batch(std::span<const Index> indices) const override;

 private:
  const Dataset &first_, &second_;
  Index times_;
};

/// How often to repeat the first set, so that about half of the samples of both are its own; at least once.
Index times_for_half(const Dataset& first, const Dataset& second);

/// The samples first, ..., last - 1 of a set or subset, [last - first, sample_shape]; all of them by default.
Tensor samples_of(const Dataset& set, Index first, Index last);
inline Tensor samples_of(const Dataset& set) { return samples_of(set, 0, set.size()); }

/// The images of these rows, in this order, with all that belongs to them. Keeps the list of classes.
ImageSet images_of(const ImageSet& set, std::span<const Index> rows);

}  // namespace reverie::inline REVERIE_PRECISION
