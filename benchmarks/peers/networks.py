"""The benchmark's networks in PyTorch: the same layers, sizes and losses as reverie's, written as a PyTorch user would."""
import math

import torch
from torch import nn
import torch.nn.functional as F


def timestep_embedding(t, width):
    """Returns cosines, then sines, of t times the frequencies 10000^(-i/half)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    arguments = t[:, None].float() * frequencies[None]
    return torch.cat([torch.cos(arguments), torch.sin(arguments)], dim=-1)


class GroupNorm(nn.GroupNorm):
    """Group norm in float, whatever type its input has: on CPUs autocast leaves this to the user."""

    def forward(self, x):
        return super().forward(x.float())


class ResidualBlock(nn.Module):
    def __init__(self, channels, out, embedding):
        super().__init__()
        self.in_norm, self.in_conv = GroupNorm(32, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.embedding = nn.Linear(embedding, 2 * out)
        self.out_norm, self.out_conv = GroupNorm(32, out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x, embedding):
        h = self.in_conv(F.silu(self.in_norm(x)))
        scale, shift = self.embedding(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.out_norm(h) * (1 + scale) + shift
        return self.skip(x) + self.out_conv(F.silu(h))


class Attention(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm = GroupNorm(32, channels)
        self.qkv, self.projection = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        n, c, height, width = x.shape
        head = c // self.heads
        q, k, v = self.qkv(self.norm(x).reshape(n, c, -1)).reshape(n * self.heads, 3 * head, -1).chunk(3, dim=1)
        scale = head ** -0.25
        weights = torch.softmax(torch.bmm((q * scale).transpose(1, 2), k * scale), dim=-1)
        attended = torch.bmm(weights, v.transpose(1, 2)).transpose(1, 2)
        return x + self.projection(attended.reshape(n, c, -1)).reshape(n, c, height, width)


class UNet(nn.Module):
    """improved-diffusion's U-Net. `attention` lists the image sizes at which attention follows a block."""

    def __init__(self, size, image_channels, out_channels, channels, mult, blocks, attention, heads):
        super().__init__()
        self.channels = channels
        self.time = nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, 4 * channels))
        self.first = nn.Conv2d(image_channels, channels * mult[0], 3, padding=1)

        def stage(channels_in, width, size):
            layers = [ResidualBlock(channels_in, width, 4 * channels)]
            return nn.ModuleList(layers + ([Attention(width, heads)] if size in attention else []))

        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width = channels * mult[0]
        skips = [width]
        for level, factor in enumerate(mult):
            for _ in range(blocks):
                self.down.append(stage(width, channels * factor, size))
                width = channels * factor
                skips.append(width)
            if level + 1 < len(mult):
                self.down.append(nn.ModuleList([nn.Conv2d(width, width, 3, stride=2, padding=1)]))
                skips.append(width)
                size //= 2
        self.middle = nn.ModuleList([ResidualBlock(width, width, 4 * channels), Attention(width, heads),
                                     ResidualBlock(width, width, 4 * channels)])
        for level, factor in reversed(list(enumerate(mult))):
            for block in range(blocks + 1):
                layers = stage(width + skips.pop(), channels * factor, size)
                width = channels * factor
                if level > 0 and block == blocks:
                    layers.append(nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"),
                                                nn.Conv2d(width, width, 3, padding=1)))
                    size *= 2
                self.up.append(layers)
        self.out = nn.Sequential(GroupNorm(32, width), nn.SiLU(), nn.Conv2d(width, out_channels, 3, padding=1))

    @staticmethod
    def run(layers, h, embedding):
        for layer in layers:
            h = layer(h, embedding) if isinstance(layer, ResidualBlock) else layer(h)
        return h

    def forward(self, x, t):
        embedding = self.time(timestep_embedding(t, self.channels))
        h = self.first(x)
        skips = [h]
        for layers in self.down:
            h = self.run(layers, h, embedding)
            skips.append(h)
        h = self.run(self.middle, h, embedding)
        for layers in self.up:
            h = self.run(layers, torch.cat([h, skips.pop()], dim=1), embedding)
        return self.out(h)


class Mlp(nn.Module):
    """reverie's network for points in the plane."""

    def __init__(self, width, depth, sinusoids=32):
        super().__init__()
        self.sinusoids, embedding = sinusoids, 4 * sinusoids
        self.time = nn.Sequential(nn.Linear(sinusoids, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.first, self.norm, self.last = nn.Linear(2, width), nn.LayerNorm(width), nn.Linear(width, 2)
        self.layers = nn.ModuleList([nn.ModuleList([nn.Linear(width, width), nn.Linear(embedding, width),
                                                    nn.Linear(width, width)]) for _ in range(depth)])

    def forward(self, x, t):
        embedding = F.silu(self.time(timestep_embedding(t, self.sinusoids)))
        h = self.first(x)
        for enter, condition, leave in self.layers:
            h = h + leave(F.silu(enter(h) + condition(embedding)))
        return self.last(F.silu(self.norm(h.float())))
