"""Faults that regions.py is there for: what stands in the template, what is put in its place, what must come of it."""

FAULTS = [
    (
        "    - !Equals [!Ref AWS::Region, il-central-1]\n",
        "    - !Equals [!Ref AWS::Region, eu-central-1]\n",
        [
            f"RegionLacksSchemas: {region} {verb} AWS::EventSchemas::{kind}"
            for region, verb in (("eu-central-1", "has"), ("il-central-1", "has no"))
            for kind in ("Registry", "Schema")
        ],
    ),
    (
        "  HasSchemaRegistry: !Not [!Condition RegionLacksSchemas]\n",
        "  HasSchemaRegistry: !Not [!Condition RegionLacksArchives]\n",
        [f"{name}: it is deployed in spite of RegionLacksSchemas" for name in ("EventSchema", "SchemaRegistry")],
    ),
    (
        "    - !Not [!Condition RegionLacksArchives]\n",
        "    - !Not [!Condition RegionLacksSchemas]\n",
        ["EventArchive: it is deployed in spite of RegionLacksArchives"],
    ),
    (
        "    - !Equals [!Ref EventMaxBytes, 983040]",
        "    - !Equals [!Ref EventMaxBytes, 983041]",
        ["HasSmallEvents: it is not about the default of EventMaxBytes"],
    ),
    (
        "          EVENT_MAX_BYTES: !If [HasSmallEvents, 261120, !Ref EventMaxBytes]\n",
        "          EVENT_MAX_BYTES: !Ref EventMaxBytes\n",
        [
            f"{function}: EVENT_MAX_BYTES is more than PutEvents takes in some Regions"
            for function in ("PollerFunction", "WebhookFunction")
        ],
    ),
    (
        "    - !Equals [!Ref AWS::Region, ap-southeast-6]\n",
        "    - !Equals [!Ref AWS::Region, ap-southeast-0]\n",
        [
            *(f"RegionLacksSchemas: ap-southeast-0 has AWS::EventSchemas::{kind}" for kind in ("Registry", "Schema")),
            *(f"RegionLacksSchemas: ap-southeast-6 has no AWS::EventSchemas::{kind}" for kind in ("Registry", "Schema")),
            "RegionTakesSmallEvents: there is no ap-southeast-0",
        ],
    ),
]
