"""What a fleet costs on AWS in a month: an estimate from counted units and list prices."""
