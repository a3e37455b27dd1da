#pragma once
#include <string>

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// How far training images are changed at random, so that a network sees more than a small set holds. A change must not
/// alter what an image shows: a mirrored digit is no digit.
struct Augmentation {
  bool flip = false;      ///< mirror left to right with probability 1/2
  Index shift = 0;        ///< shift by up to this many pixels along each axis
  double rotation = 0;    ///< rotate about the centre by up to this many degrees, either way
  double brightness = 0;  ///< add up to this, either way, to all values (which lie in [-1,1]); the sums are clamped

  bool operator==(const Augmentation&) const = default;
};

/// The change of one image: mirrored, then rotated, then shifted, then made brighter.
struct ImageChange {
  bool flip = false;
  Index right = 0, down = 0;  ///< pixels
  double degrees = 0;         ///< counterclockwise
  double brightness = 0;
};

/// Throws UsageError for values out of range, and for samples of this shape that can't be changed so: points, or
/// images of at most `shift` pixels. `where` begins the message.
void check_augmentation(const Augmentation& augmentation, const Shape& sample, const std::string& where);

/// Describes the changes: ", flipped, shifted by up to 2 pixels"; empty if there are none.
std::string in_words(const Augmentation& augmentation);

/// Draws the change of sample `sample` of a batch, uniform in its range; a function of (key, sample).
ImageChange draw_change(const Augmentation& augmentation, const RandomKey& key, Index sample);
/// Changes an image [1,H,W,C] in place. Values between pixels are interpolated bilinearly; what comes in from outside
/// has the value of the nearest pixel at the border. Whole pixels move exactly.
void change_image(Tensor image, const ImageChange& change);
/// Changes each image of a batch [N,H,W,C] in place, in parallel.
void augment(Tensor& images, const Augmentation& augmentation, const RandomKey& key);

}  // namespace reverie::inline REVERIE_PRECISION
