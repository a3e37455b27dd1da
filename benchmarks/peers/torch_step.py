#!/usr/bin/python3
"""The training step of build/benchmarks/train_step in PyTorch; prints the same JSON line."""
import argparse
import json
import math
import resource
import statistics
import time

import torch
import torch.nn.functional as F

from networks import Mlp, UNet

NETWORKS = {
    # name: (network, shape of a sample, batch, whether the network also predicts the variance)
    "mnist": (lambda: UNet(28, 1, 2, 32, [1, 2, 2], 2, [14], 4), (1, 28, 28), 64, True),
    "cifar": (lambda: UNet(32, 3, 6, 64, [1, 2, 2, 2], 2, [16, 8], 4), (3, 32, 32), 16, True),
    "mlp": (lambda: Mlp(128, 3), (2,), 256, False),
}


class Chain:
    """The cosine schedule with 1000 steps, and the coefficients that the losses need."""

    def __init__(self, steps=1000):
        u = torch.arange(steps + 1, dtype=torch.float64) / steps
        alpha_bar = torch.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = torch.clamp(1 - alpha_bar[1:] / alpha_bar[:-1], max=0.999)
        cumprod = torch.cumprod(1 - betas, 0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), cumprod[:-1]])
        posterior = betas * (1 - before) / (1 - cumprod)
        self.steps = steps
        self.log_beta, self.log_posterior = betas.log().float(), torch.cat([posterior[1:2], posterior[1:]]).log().float()
        self.sqrt_cumprod, self.sqrt_rest = cumprod.sqrt().float(), (1 - cumprod).sqrt().float()
        self.coef1 = (betas * before.sqrt() / (1 - cumprod)).float()
        self.coef2 = ((1 - before) * (1 - betas).sqrt() / (1 - cumprod)).float()


def normal_cdf(x):
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def decoder_log_likelihood(x, mean, log_scale):
    """Returns the log likelihood of 8-bit values x under a discretised Gaussian."""
    scale = torch.exp(-log_scale)
    below, above = normal_cdf((x - mean - 1 / 255) * scale), normal_cdf((x - mean + 1 / 255) * scale)
    inside = torch.log((above - below).clamp(min=1e-12))
    return torch.where(x < -0.999, torch.log(above.clamp(min=1e-12)),
                       torch.where(x > 0.999, torch.log((1 - below).clamp(min=1e-12)), inside))


def hybrid_loss(chain, network, x0, t, noise, learned):
    """Returns the squared error of the noise plus the variational term of a learned variance [Nichol & Dhariwal 2021]."""
    def of(table):
        return table[t].reshape(-1, *[1] * (x0.dim() - 1))

    x_t = of(chain.sqrt_cumprod) * x0 + of(chain.sqrt_rest) * noise
    output = network(x_t, t)
    if not learned:
        return F.mse_loss(output, noise)
    eps, v = output.chunk(2, dim=1)
    share = (v + 1) / 2
    log_variance = share * of(chain.log_beta) + (1 - share) * of(chain.log_posterior)
    pred_x0 = (x_t - of(chain.sqrt_rest) * eps.detach()) / of(chain.sqrt_cumprod)
    mean, true_mean = of(chain.coef1) * pred_x0 + of(chain.coef2) * x_t, of(chain.coef1) * x0 + of(chain.coef2) * x_t
    true_log = of(chain.log_posterior)
    kl = 0.5 * (log_variance - true_log + torch.exp(true_log - log_variance) - 1
                + (true_mean - mean) ** 2 * torch.exp(-log_variance))
    decoder = -decoder_log_likelihood(x0, mean, 0.5 * log_variance)
    vb = torch.where(t == 0, decoder.flatten(1).mean(1), kl.flatten(1).mean(1)) / math.log(2)
    return F.mse_loss(eps, noise) + vb.mean() * chain.steps / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--batch", type=int, help="samples in a step [64, 16 and 256]")
    parser.add_argument("--threads", type=int, default=0, help="threads [PyTorch's choice]")
    parser.add_argument("--steps", type=int, default=10, help="steps to time [10]")
    parser.add_argument("--forward", action="store_true", help="time the network's forward pass alone")
    parser.add_argument("--channels-last", action="store_true", help="use PyTorch's channels-last memory format")
    parser.add_argument("--bfloat16", action="store_true", help="run the network under PyTorch's autocast")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    make, shape, batch, learned = NETWORKS[options.network]
    batch = options.batch or batch
    network, chain = make(), Chain()
    x0, noise = torch.rand(batch, *shape) * 2 - 1, torch.randn(batch, *shape)
    t = torch.randint(0, chain.steps, (batch,))
    if options.channels_last:
        network = network.to(memory_format=torch.channels_last)
        x0, noise = (x.contiguous(memory_format=torch.channels_last) for x in (x0, noise))
    averages = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, foreach=True)

    def cast(x, t):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bfloat16):
            return network(x, t).float()

    def training_step():
        optimizer.zero_grad(set_to_none=True)
        hybrid_loss(chain, cast, x0, t, noise, learned).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_mul_(averages, 0.999)
            torch._foreach_add_(averages, list(network.parameters()), alpha=0.001)

    def forward():
        with torch.inference_mode():
            cast(x0, t)

    step = forward if options.forward else training_step
    for _ in range(3):
        step()
    times = []
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    print(json.dumps({"ms": round(statistics.median(times), 3), "ms_min": round(min(times), 3),
                      "ms_max": round(max(times), 3),
                      "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}))


if __name__ == "__main__":
    main()
