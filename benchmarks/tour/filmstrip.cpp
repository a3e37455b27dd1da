// Draws a film strip of the forward process: an image of class 2, of 4 and of 8 at x_0 and at several time steps of a
// chain, with one draw of noise per image.
#include <algorithm>
#include <iostream>

#include "data/grid.h"
#include "data/image_set.h"
#include "diffusion/process/process.h"

using namespace reverie;

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: filmstrip SET.h5 SCHEDULE OUT.png\n";
    return 2;
  }
  try {
    const ImageSet set = ImageSet::load(argv[1]);
    const Process process(make_schedule(argv[2], 1000), MeanType::x0, VarianceType::fixed_small);
    const std::vector<Index> times = {49, 99, 199, 299, 399, 499, 599, 699, 799, 899, 999};
    std::vector<Tensor> cells;
    for (const Index label : {2, 4, 8}) {
      const Index image = std::find(set.labels.begin(), set.labels.end(), label) - set.labels.begin();
      if (image == set.count) throw Error(argv[1], ": has no images of class ", label);
      const Tensor x0 = set.batch(std::vector<Index>{image});
      const Tensor noise = normal_rows({.seed = 0, .stream = Stream::noise}, x0.shape(), image);
      cells.push_back(x0);
      for (const Index t : times) cells.push_back(process.q_sample(x0, std::vector<Index>{t}, noise).value());
    }
    const Shape one = cells.front().shape();
    Tensor strip = Tensor::uninitialized(one.with(0, std::ssize(cells)));
    for (std::size_t i = 0; i < cells.size(); ++i)
      for (Index k = 0; k < one.size(); ++k)
        strip[static_cast<Index>(i) * one.size() + k] = std::clamp(cells[i][k], real(-1), real(1));
    write_png(argv[3], grid(strip, 1 + std::ssize(times), 2));
  } catch (const Error& error) {
    std::cerr << "filmstrip: " << error.what() << "\n";
    return 1;
  }
}
