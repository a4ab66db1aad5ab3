"""Faults of the archive and of the deployed schema: what stands in the template, what replaces it, what comes of it."""

FAULTS = [
    # The archive.
    (
        "      EventPattern:\n        source: [closeio]\n      # AWS",
        "      EventPattern:\n        source: [{ prefix: closeio }]\n      # AWS",
        ["EventArchive: it does not keep the changes, and nothing else"],
    ),
    (
        "      RetentionDays: !Ref ArchiveRetentionDays\n",
        "      RetentionDays: !Ref ArchiveRetentionDays\n      KmsKeyIdentifier: !GetAtt TablesKey.Arn\n",
        ["EventArchive: each use of its key is paid for"],
    ),
    (
        "      RetentionDays: !Ref ArchiveRetentionDays\n",
        "",
        ["EventArchive: it does not keep events for ArchiveRetentionDays"],
    ),
    (
        "    Type: AWS::Events::Archive\n    Condition: HasArchive\n",
        "    Type: AWS::Events::Archive\n",
        [
            "EventArchive: it is deployed in spite of RegionLacksArchives",
            "EventArchive: with 0 days, which AWS takes for ever, it would still be there",
        ],
    ),
    # The schema and its registry.
    (
        "        - closeio-events-${Id}\n        - Id: !Select [2, !Split [\"/\", !Ref AWS::StackId]]\n",
        "        - closeio-events${Id}\n        - Id: \"\"\n",
        ["SchemaRegistry: RegistryName is not made from the stack's name"],
    ),
    ("SchemaName: closeio@Event", "SchemaName: closeio", ["Schemas: ['EventSchema'] instead of closeio@Event alone"]),
    ("Type: JSONSchemaDraft4", "Type: OpenApi3", ["EventSchema: it is not of draft-04"]),
    (
        '          "minLength": 1,\n',
        '          "minLength": 2,\n',
        ["EventSchema: it is not docs/event.schema.json: run .ci/event_schema.py"],
    ),
    (
        '          "enum": ["0"]\n',
        '          "const": "0"\n',
        [
            "EventSchema: draft-04 has no const",
            "EventSchema: it is not docs/event.schema.json: run .ci/event_schema.py",
        ],
    ),
    (
        '          "minLength": 1,\n',
        '          "minLength": "1",\n',
        [
            "EventSchema: '1' is not of type 'integer'",
            "EventSchema: it is not docs/event.schema.json: run .ci/event_schema.py",
        ],
    ),
    (
        "      Description: A change in Close, envelope and detail.\n",
        f"      Description: {'A change. ' * 30}\n",
        ["EventSchema: it is too long for the registry"],
    ),
]
