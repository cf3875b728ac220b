"""Checkpoints of encoders, and of encoders with a decoder that reads them, on
tokens: the options of one family spread over as few cases as they fit in.
"""

from cases import Case
from decoder_cases import neox, two_ropes


def old_modernbert(config):
    """Rotations and kinds of layers in the keys of the first files."""
    rope = config.pop("rope_parameters")
    config["global_rope_theta"] = rope["full_attention"]["rope_theta"]
    config["local_rope_theta"] = rope["sliding_attention"]["rope_theta"]
    config["global_attn_every_n_layers"] = 2
    del config["layer_types"]


def encoder(
    model, *, eps="layer_norm_eps", spell=None, pad="right", inputs=None, **options
):
    """A case of an encoder, which has nothing to decode."""
    config = neox(**options)
    if eps != "layer_norm_eps":
        config[eps] = config.pop("layer_norm_eps")
    return Case(
        model, config, spell=spell, pad=pad, inputs=inputs or {}, generate=False
    )


def t5(model, *, decoder=13, pad="right", **options):
    """A case of an encoder and a decoder in the manner of T5."""
    config = dict(
        vocab_size=151,
        d_model=60,
        d_kv=7,
        d_ff=44,
        num_layers=2,
        num_heads=5,
        layer_norm_epsilon=1e-3,
        relative_attention_num_buckets=9,
        relative_attention_max_distance=30,
    )
    return Case(
        model,
        {**config, **options},
        decoder=decoder,
        pad=pad,
        generate=decoder > 0,
    )


def bart(model, *, inputs=None, spell=None, generation=None, **options):
    """The same in the manner of BART."""
    config = dict(
        vocab_size=151,
        d_model=60,
        encoder_ffn_dim=44,
        decoder_ffn_dim=52,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=5,
        decoder_attention_heads=6,
        max_position_embeddings=160,
    )
    if "max_encoder_position_embeddings" in options:
        del config["max_position_embeddings"]
    return Case(
        model,
        {**config, **options},
        decoder=13,
        pad="right",
        inputs=inputs or {},
        spell=spell,
        generation=generation or {},
    )


ENCODER_CASES = {
    "modernbert_old_spelling_biases": encoder(
        "ModernBertForMaskedLM",
        eps="norm_eps",
        spell=old_modernbert,
        attention_bias=True,
        mlp_bias=True,
        norm_bias=True,
        classifier_bias=True,
        decoder_bias=False,
        tie_word_embeddings=False,
        local_attention=13,
        pad_token_id=3,
        hidden_activation="silu",
        classifier_activation="relu",
        layer_types=["full_attention", "sliding_attention"],
        rope_parameters=two_ropes(
            dict(rope_type="default", rope_theta=5e4),
            dict(rope_type="default", rope_theta=2e3),
        ),
    ),
    "bert": encoder("BertForMaskedLM", hidden_act="gelu_new", pad_token_id=0),
    "roberta_causal_untied": encoder(
        "RobertaForMaskedLM",
        pad="",
        is_decoder=True,
        pad_token_id=5,
        tie_word_embeddings=False,
        type_vocab_size=1,
    ),
    # Both lengths exceed the 28 tokens that would attend to all.
    "big_bird_blocks": encoder(
        "BigBirdForMaskedLM",
        pad="",
        block_size=4,
        num_random_blocks=1,
        use_bias=False,
        rescale_embeddings=True,
        pad_token_id=0,
    ),
    "big_bird_causal": Case(
        "BigBirdForCausalLM", neox(is_decoder=True, pad_token_id=0)
    ),
    "bert_segments": encoder(
        "BertForMaskedLM", type_vocab_size=3, inputs=dict(token_type_ids=3)
    ),
    # Its head's activation is its own, and tokens for padding may be generated.
    "roberta_masked": encoder(
        "RobertaForMaskedLM",
        hidden_act="relu",
        pad_token_id=5,
        inputs=dict(token_type_ids=2),
    ),
    "xlm_roberta_causal": Case(
        "XLMRobertaForCausalLM", neox(is_decoder=True, pad_token_id=5)
    ),
    "roberta_prelayernorm": encoder(
        "RobertaPreLayerNormForMaskedLM", pad_token_id=1, type_vocab_size=1
    ),
    "xlm_roberta_xl": encoder(
        "XLMRobertaXLForMaskedLM",
        spell=lambda config: config.pop("type_vocab_size"),
        type_vocab_size=1,
        pad_token_id=1,
    ),
    "megatron_bert_causal": Case(
        "MegatronBertForCausalLM", neox(is_decoder=True, tie_word_embeddings=False)
    ),
    "ernie_tasks": encoder(
        "ErnieForMaskedLM",
        use_task_id=True,
        task_type_vocab_size=4,
        inputs=dict(token_type_ids=2, task_type_ids=4),
    ),
    "electra_narrow": encoder("ElectraForMaskedLM", embedding_size=24),
    "albert_groups": encoder(
        "AlbertForMaskedLM",
        embedding_size=24,
        num_hidden_groups=2,
        inner_group_num=2,
        inputs=dict(token_type_ids=2),
    ),
    "distilbert": Case(
        "DistilBertForMaskedLM",
        dict(vocab_size=151, dim=60, hidden_dim=44, n_layers=2, n_heads=5),
        pad="right",
        generate=False,
    ),
    "mpnet": encoder("MPNetForMaskedLM", pad_token_id=1),
    "t5_gated_unscaled": t5(
        "T5ForConditionalGeneration",
        feed_forward_proj="gated-gelu",
        num_decoder_layers=3,
        tie_word_embeddings=False,
    ),
    "t5_encoder": t5("T5EncoderModel", decoder=0),
    "umt5": t5("UMT5ForConditionalGeneration", pad="left", decoder=29),
    "switch_transformers": t5(
        "SwitchTransformersForConditionalGeneration",
        num_decoder_layers=3,
        num_experts=4,
        expert_capacity=5,
        num_sparse_encoder_layers=1,
        num_sparse_decoder_layers=1,
        router_bias=True,
    ),
    # A decoder of which nothing is said has the family's heads.
    "bart": bart(
        "BartForConditionalGeneration",
        scale_embedding=True,
        d_model=48,
        encoder_attention_heads=4,
        decoder_attention_heads=16,
        spell=lambda config: config.pop("decoder_attention_heads"),
    ),
    # A language is asked for, and two tokens are never written.
    "mbart_untied": bart(
        "MBartForConditionalGeneration",
        tie_word_embeddings=False,
        generation=dict(
            decoder_start_token_id=9,
            forced_bos_token_id=7,
            bad_words_ids=[[14]],
            suppress_tokens=[19],
        ),
    ),
    "m2m_100_padding": bart(
        "M2M100ForConditionalGeneration",
        d_model=48,
        encoder_attention_heads=4,
        pad_token_id=3,
        tie_word_embeddings=False,
    ),
    "pegasus": bart("PegasusForConditionalGeneration"),
    "blenderbot": bart("BlenderbotForConditionalGeneration"),
    "blenderbot_small": bart("BlenderbotSmallForConditionalGeneration"),
    "marian_odd": bart(
        "MarianMTModel",
        d_model=45,
        decoder_attention_heads=3,
        pad_token_id=1,
        eos_token_id=0,
        decoder_start_token_id=1,
    ),
    "led_windows": bart(
        "LEDForConditionalGeneration",
        max_encoder_position_embeddings=160,
        max_decoder_position_embeddings=64,
        attention_window=[4, 8],
        inputs=dict(global_attention_mask=2),
    ),
}
