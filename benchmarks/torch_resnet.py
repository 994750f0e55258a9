"""The same network and train step in PyTorch: a contestant of `training.py`.

Nothing of ours is imported here: what a user of PyTorch gets is measured.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

WIDTHS = (16, 32, 64)


def conv(inputs: int, outputs: int, kernel_size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=False)


class Module(nn.Module):
    """A pre-activation module (equation 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.transform = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            conv(inputs, outputs, 3, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            conv(outputs, outputs, 3, 1),
        )
        self.skip = conv(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, y):
        return self.skip(y) + self.transform(y)


def resnet(depth: int, channels: int, n_classes: int) -> nn.Sequential:
    """Returns the CIFAR form of the ResNet."""
    layers, width = [conv(channels, WIDTHS[0], 3, 1)], WIDTHS[0]
    for outputs in WIDTHS:
        for block in range((depth - 2) // 6):
            stride = 2 if block == 0 and outputs != WIDTHS[0] else 1
            layers.append(Module(width, outputs, stride))
            width = outputs
    head = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *head, nn.Linear(width, n_classes))


def steps(
    depth: int, images: np.ndarray, labels: np.ndarray, n_steps: int
) -> tuple[Callable[[], object], int]:
    """Returns a function that trains for `n_steps` on the same batch, and the number of weights."""
    network = resnet(depth, images.shape[-1], int(labels.max()) + 1)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=1e-4)
    x = torch.from_numpy((images.transpose(0, 3, 1, 2) / 127.5 - 1).astype("float32"))
    x = x.to(memory_format=torch.channels_last)
    y = torch.from_numpy(labels.astype("int64"))

    def run():
        for _ in range(n_steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()

    return run, sum(weight.numel() for weight in network.parameters())
