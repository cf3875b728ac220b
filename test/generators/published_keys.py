"""What config.json says in published checkpoints of a family beside what
transformers writes: options of the first implementations, of training and of
files. make_checkpoint.py puts it into every checkpoint of the class."""

TASKS = dict(_num_labels=3, output_past=True)

# Options of GPT-2's first implementation.
SPECIAL = dict(n_special=0, predict_special_tokens=True, **TASKS)

HUNYUAN = dict(
    add_classification_head=False,
    anyres_pooling_size=2,
    anyres_vit_two_views=False,
    cla_share_factor=2,
    class_num=0,
    dense_list=[64, 0],
    eod_token_id=3,
    im_end_id=5,
    im_newline_id=11,
    im_start_id=4,
    mask_init_id=12,
    norm_type="rms",
    num_media_embeds=257,
    org_vocab_size=199,
    pad_id=2,
    pool_type="last",
    position_embedding_xdrope=False,
    skip_cls_token=False,
    text_end_id=6,
    text_start_id=7,
    use_cla=False,
    use_qk_norm=True,
    use_rotary_pos_emb=True,
    video_end_id=8,
    video_start_id=9,
    vit_add_patchemb_bias=False,
    vit_input_resolution=224,
    vit_mapping_type="x",
    vit_norm_type="x",
    vit_patch=1,
    vit_remove_prenorm=False,
    vit_token=64,
    vit_used_rms_norm=False,
)

PUBLISHED = {
    "AfmoeForCausalLM": dict(route_norm=True),
    "ApertusForCausalLM": dict(post_norm=False, qk_norm=True),
    "BartForConditionalGeneration": TASKS,
    "BertForMaskedLM": dict(
        directionality="bidi",
        pooler_fc_size=768,
        pooler_num_attention_heads=12,
        pooler_num_fc_layers=3,
        pooler_size_per_head=128,
        pooler_type="first_token_transform",
        output_past=True,
    ),
    "BlenderbotForConditionalGeneration": dict(
        do_blenderbot_90_layernorm=True, layernorm_variant="prelayernorm"
    ),
    "Cohere2ForCausalLM": dict(layer_switch=4),
    "CohereForCausalLM": dict(model_max_length=131072),
    "Dots1ForCausalLM": dict(use_sliding_window=False),
    "Ernie4_5ForCausalLM": dict(compression_ratio=1.0),
    "Ernie4_5_MoeForCausalLM": dict(compression_ratio=1.0),
    "FalconForCausalLM": dict(apply_residual_connection_post_layernorm=False),
    "GPT2LMHeadModel": SPECIAL,
    "GPTNeoXForCausalLM": dict(
        attention_probs_dropout_prob=0, hidden_dropout_prob=0, num_steps="global_step150000"
    ),
    "Gemma2ForCausalLM": dict(hidden_act="gelu_pytorch_tanh", sliding_window_size=4096),
    "GlmMoeDsaForCausalLM": dict(indexer_rope_interleave=True, rope_interleave=True),
    "HunYuanDenseV1ForCausalLM": HUNYUAN,
    "HunYuanMoEV1ForCausalLM": dict(
        **HUNYUAN,
        capacity_factor=1.0,
        group_limited_greedy=False,
        norm_topk_prob=True,
        routed_scaling_factor=1.0,
    ),
    "JambaForCausalLM": dict(calc_logits_for_entire_prompt=False, mamba_inner_layernorms=True),
    "JetMoeForCausalLM": dict(bias=True, glu=True),
    "Llama4ForCausalLM": dict(for_llm_compressor=False),
    "LlamaForCausalLM": {
        "is_llama_config": True,
        "max_sequence_length": 2048,
        "rope_interleaved": False,
        "transformers.js_config": {"dtype": "q4"},
    },
    "LongcatFlashForCausalLM": dict(
        attention_method="MLA",
        nextn_use_scmoe=False,
        num_nextn_predict_layers=1,
        router_dtype="float32",
    ),
    "Mamba2ForCausalLM": dict(fused_add_norm=True, pad_vocab_size_multiple=8),
    "MarianMTModel": TASKS,
    "MiMoV2FlashForCausalLM": dict(
        add_full_attention_sink_bias=False, add_swa_attention_sink_bias=True
    ),
    "MiniMaxForCausalLM": dict(
        postnorm=True, shared_intermediate_size=0, shared_moe_mode="sigmoid"
    ),
    "ModernBertForMaskedLM": dict(position_embedding_type="absolute"),
    "NemotronHForCausalLM": dict(norm_eps=1e-5),
    "OPTForCausalLM": dict(activation_dropout=0.0),
    "OlmoeForCausalLM": dict(router_z_loss_coef=0.001),
    "OpenAIGPTLMHeadModel": SPECIAL,
    "Qwen2ForCausalLM": dict(use_mrope=False),
    "Qwen2MoeForCausalLM": dict(use_mrope=False),
    "RecurrentGemmaForCausalLM": dict(_block_types=["recurrent", "attention"]),
    "StableLmForCausalLM": dict(rotary_scaling_factor=1.0),
    "Starcoder2ForCausalLM": dict(
        attention_softmax_in_fp32=True,
        layer_norm_epsilon=1e-5,
        mlp_type="default",
        norm_type="layer_norm",
        scale_attention_softmax_in_fp32=True,
        scale_attn_weights=True,
    ),
    "SwitchTransformersForConditionalGeneration": dict(
        batch_prioritized_routing=False, capacity_factor=1.0, num_selected_experts=1
    ),
    "UMT5ForConditionalGeneration": dict(scalable_attention=True),
    "xLSTMForCausalLM": dict(
        add_embedding_dropout=False,
        add_forward_backend_padding=False,
        add_post_blocks_norm=True,
        add_post_norm=False,
        add_qk_norm=False,
        cell_norm_eps=1e-6,
        force_bos_token_insert=True,
        igate_bias_init_range=-10.0,
        mlstm_round_up_to_multiple_of=64,
    ),
}
