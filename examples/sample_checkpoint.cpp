// Reads a checkpoint, draws samples from it and writes them as a PNG.   usage: sample_checkpoint CHECKPOINT OUT.png
#include <exception>
#include <iostream>

#include "data/grid.h"
#include "diffusion/model/checkpoint.h"

using namespace reverie;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: sample_checkpoint CHECKPOINT OUT.png\n";
    return 2;
  }
  try {
    const Checkpoint checkpoint = read_checkpoint(argv[1]);
    const DiffusionModel model = model_of(checkpoint, "ema", argv[1]);
    SampleRequest request = default_request(checkpoint.config);
    choose_sampler(request, "ddim");
    request.steps = 20, request.count = 16;
    const Samples samples = generate(model, request);
    if (samples.x.rank() != 4) throw UsageError(argv[1], ": is a model of points, this example draws images");
    write_png(argv[2], grid(samples.x, 4));
    std::cout << argv[2] << ": 16 samples, " << samples.evaluations << " function evaluations each\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
