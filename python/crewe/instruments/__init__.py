"""What evaluators of social care measure with: case records, risk matrices, questionnaires."""
