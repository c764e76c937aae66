import torch

from latentlab.checkpoints.assemble import blank
from latentlab.checkpoints.systems.substitutes import noise_map, resample_filters, set_w_mean
from tests.conftest import make_discriminator, make_generator


def test_filters_are_those_that_the_networks_make_themselves():
    networks = (make_generator(), make_generator(resample_filter=(1.0, 2.0)), make_discriminator())
    for network in networks:
        own = {k: v for k, v in network.state_dict().items() if k.endswith("resample_filter")}
        found = resample_filters(blank(network.config, ""))
        assert found.keys() == own.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in own.items())


def test_noise_depends_on_the_layer_alone():
    assert torch.equal(noise_map(8, 1), noise_map(8, 1))
    assert not torch.equal(noise_map(8, 1), noise_map(8, 2))
    assert 0.9 < noise_map(64, 0).std() < 1.1
    state = torch.get_rng_state()
    noise_map(8, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_mean_of_w_is_that_of_exactly_so_many():
    """Batches of another size would draw other latents: count 1500 takes 1024 and 476."""
    g = make_generator()
    drawn = []
    g.mapping.register_forward_hook(lambda _, args, output: drawn.append((args[0], output)))
    sentence = set_w_mean(g, 1500)
    assert [len(z) for z, _ in drawn] == [1024, 476]
    latents = torch.cat([z for z, _ in drawn])
    assert len(latents.unique(dim=0)) == 1500
    mean = torch.cat([ws[:, 0] for _, ws in drawn]).double().mean(dim=0)
    torch.testing.assert_close(g.w_mean.double(), mean, atol=1e-6, rtol=0)  # float32
    assert "1500 random w" in sentence
